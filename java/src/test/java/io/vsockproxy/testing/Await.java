/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.testing;

import static org.junit.jupiter.api.Assertions.fail;

import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import java.util.function.IntSupplier;
import java.util.function.Supplier;

/**
 * Waits by polling, for a bounded time, for conditions that nothing announces.
 */
public final class Await {
    /** How long anything may take on a busy machine, or one that is emulated, before a test gives up on it. */
    public static final long TIMEOUT_MS = TestLink.isInVirtualMachine() ? 60_000 : 20_000;

    private static final long INTERVAL_MS = 5;
    private static final int STABLE_SAMPLES = 20;

    private Await() {
    }

    /** Waits until {@code condition} holds; fails with {@code what} when it does not in time. */
    public static void until(final BooleanSupplier condition, final Supplier<String> what) {
        final long deadlineNs = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(TIMEOUT_MS);
        while (!condition.getAsBoolean()) {
            if (System.nanoTime() - deadlineNs >= 0) {
                fail("not in " + TIMEOUT_MS + " ms: " + what.get());
            }
            pause(INTERVAL_MS);
        }
    }

    /** Waits until {@code actual} gives {@code expected}. */
    public static void untilEqual(final int expected, final IntSupplier actual, final String what) {
        until(
            () -> actual.getAsInt() == expected,
            () -> what + ": expected=" + expected + ", actual=" + actual.getAsInt());
    }

    /** The value that {@code actual} settles on: the same for a while. */
    public static int stable(final IntSupplier actual) {
        final int[] last = {actual.getAsInt(), 0};
        until(
            () -> {
                final int next = actual.getAsInt();
                last[1] = next == last[0] ? last[1] + 1 : 0;
                last[0] = next;
                return last[1] >= STABLE_SAMPLES;
            },
            () -> "a value that stays, last=" + last[0]);
        return last[0];
    }

    /** Waits for what cannot be looked at. */
    static void pause(final long milliseconds) {
        try {
            Thread.sleep(milliseconds);
        } catch (final InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException(e);
        }
    }
}
