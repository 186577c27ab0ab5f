/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.model;

import static org.junit.jupiter.api.Assertions.assertTrue;

import io.vsockproxy.posix.Descriptors;
import io.vsockproxy.testing.Await;
import io.vsockproxy.testing.Background;
import io.vsockproxy.testing.Pairing;
import io.vsockproxy.testing.Seeds;
import java.io.IOException;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Applications on both sides of two proxies see what they would see on one machine, whatever they do. Random programs
 * run in both worlds; see the package. Each pairing runs for some seconds, or for {@code -Dvsockproxy.test.minutes=}.
 *
 * <p>A failure names a seed, with which the failing program is the first to run, and a shorter program that fails too
 * if one is found. The order of operations is then the same again, but not what the proxies do at the same time.
 */
class ModelTest {
    private static final long DURATION_MS = 3_000;
    private static final int PROGRAM_LENGTH = 400;
    private static final long PROGRAM_MS = 10_000;
    /** Receiving what is under way included. */
    private static final long PROGRAM_LIMIT_MS = 4 * PROGRAM_MS + Await.TIMEOUT_MS;
    private static final long SHRINKING_MS = 60_000;
    private static final long SHRINKING_PATIENCE_MS = 3_000;
    /** Beyond what a proxy has when it has done something for a while, in KiB; an hour of leaks is far more. */
    private static final long MAX_GROWTH_KIB = 48 * 1024;
    private static final int WARM_PROGRAMS = 8;

    @ParameterizedTest
    @EnumSource
    void shouldLookToApplicationsLikeOneMachine(final Pairing pairing) throws IOException {
        long seed = Seeds.seed("ModelTest " + pairing);
        final long startNs = System.nanoTime();
        final long durationMs = Seeds.durationMs(DURATION_MS);
        int programs = 0;
        long warmKib = 0;
        try (Site site = new Site(pairing)) {
            do {
                final List<Operation> program = Operation.program(new Random(seed), PROGRAM_LENGTH);
                final String failure = outcome(site, pairing, program, Await.TIMEOUT_MS);
                if (failure != null) {
                    throw new AssertionError("-Dvsockproxy.test.seed=" + seed + ", " + pairing + ": " + failure
                        + "\n" + site.log() + "\n" + shrunk(pairing, program));
                }
                programs++;
                if (programs == WARM_PROGRAMS) {
                    warmKib = site.residentKib();
                }
                seed = new Random(seed).nextLong();
            } while (System.nanoTime() - startNs < TimeUnit.MILLISECONDS.toNanos(durationMs));
            final long residentKib = site.residentKib();
            System.out.println("ModelTest " + pairing + ": " + programs + " programs of " + PROGRAM_LENGTH
                + " operations, resident memory of a proxy " + warmKib + " KiB, then " + residentKib + " KiB");
            if (warmKib > 0) {
                final long warm = warmKib;
                assertTrue(residentKib - warm <= MAX_GROWTH_KIB,
                    () -> "resident memory in KiB: " + warm + ", then " + residentKib);
            }
        }
    }

    /** Carries out a program: how it failed, or null. */
    private static String outcome(
        final Site site, final Pairing pairing, final List<Operation> program, final long patienceMs) {
        final Trace trace = new Trace();
        final long startNs = System.nanoTime();
        final CompletableFuture<Void> done = Background.start(() -> {
            final int descriptorsBefore = Descriptors.count();
            try (Execution execution = new Execution(site, pairing.agreed(), patienceMs, trace)) {
                execution.run(program, timeout(startNs, PROGRAM_MS));
            }
            Descriptors.assertCount(descriptorsBefore);
            site.expectNothingLeft();
            return null;
        });
        try {
            done.orTimeout(PROGRAM_LIMIT_MS, TimeUnit.MILLISECONDS).join();
            return null;
        } catch (final CompletionException e) {
            // Whatever hangs in a proxy ends with it.
            site.kill();
            return e.getCause() + "\n" + trace;
        }
    }

    private static String shrunk(final Pairing pairing, final List<Operation> program) {
        final String[] failure = {"none shorter fails again"};
        final List<Operation> shortest = Shrinking.shrink(
            program,
            shorter -> {
                try (Site site = new Site(pairing)) {
                    final String outcome = outcome(site, pairing, shorter, SHRINKING_PATIENCE_MS);
                    if (outcome != null) {
                        failure[0] = outcome;
                    }
                    return outcome != null;
                } catch (final IOException e) {
                    throw new IllegalStateException(e);
                }
            },
            timeout(System.nanoTime(), SHRINKING_MS));
        return "shrunk to " + shortest.size() + " operations of " + program.size() + ": " + failure[0];
    }

    private static BooleanSupplier timeout(final long startNs, final long timeoutMs) {
        return () -> System.nanoTime() - startNs >= TimeUnit.MILLISECONDS.toNanos(timeoutMs);
    }
}
