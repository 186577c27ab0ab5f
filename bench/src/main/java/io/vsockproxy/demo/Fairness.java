/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.demo;

import io.vsockproxy.posix.Constants;
import io.vsockproxy.posix.Memory;
import io.vsockproxy.posix.Syscalls;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.Supplier;
import java.util.function.ToDoubleFunction;
import org.HdrHistogram.Histogram;

/**
 * Measures how a stream at full throughput affects the round trips of a hundred quiet ones on the same link.
 *
 * <p>One request of 64 B at a time, on each quiet stream in turn, without and with another stream whose writer never
 * pauses; and the same over plain sockets, where the busy pair takes processor time in the same way. Every round
 * measures all four in turn; medians are shown.
 *
 * <p>Once {@code bin/demo} has built it, from the project's root:
 *
 * <pre>
 *   java --add-exports java.base/jdk.internal.misc=ALL-UNNAMED --enable-native-access=ALL-UNNAMED \
 *       -Dvsockproxy.native.path=$PWD/java/target/native/libvsockproxy.so \
 *       -cp 'bench/target/classes:bench/target/lib/*' io.vsockproxy.demo.Fairness \
 *       bin/vsock-proxy DIRECTORY [ROUNDS [MILLISECONDS]]
 * </pre>
 *
 * <p>DIRECTORY must be empty. It holds the sockets and logs.
 */
public final class Fairness {
    private static final int QUIET_STREAMS = 100;
    private static final int MESSAGE_LENGTH = 64;
    private static final int PIECE_LENGTH = 64 << 10;
    private static final int DEFAULT_ROUNDS = 7;
    private static final int DEFAULT_DURATION_MS = 1000;
    private static final long HIGHEST_NS = 10_000_000_000L;
    private static final int DIGITS = 3;
    private static final long TIMEOUT_S = 20;
    private static final double NS_PER_US = 1e3;
    private static final double NS_PER_S = 1e9;
    private static final double MIB = 1 << 20;
    private static final int P50 = 50;
    private static final int P99 = 99;

    private final int durationMs;

    /** What one round gave: latencies in microseconds. */
    private record Result(double p50, double p99, double busyMibPerSecond) { }

    /** A way from the guest's applications to the host's, and what was measured on it. */
    private record Measured(String what, Supplier<Applications.Ends> way, boolean withBusy, List<Result> results) {
        double median(final ToDoubleFunction<Result> figure) {
            final double[] sorted = results.stream().mapToDouble(figure).sorted().toArray();
            return sorted[sorted.length / 2];
        }
    }

    private Fairness(final int durationMs) {
        this.durationMs = durationMs;
    }

    /** See the class. */
    public static void main(final String[] arguments) throws IOException {
        final Path launcher = Path.of(arguments[0]);
        final Path directory = Path.of(arguments[1]).toAbsolutePath();
        final int rounds = arguments.length > 2 ? Integer.parseInt(arguments[2]) : DEFAULT_ROUNDS;
        final int durationMs = arguments.length > 3 ? Integer.parseInt(arguments[3]) : DEFAULT_DURATION_MS;
        final String link = "unix:" + directory.resolve("link.sock");
        final Path hostSocket = directory.resolve("host-application.sock");
        final Path guestSocket = directory.resolve("guest-application.sock");
        final ProxyProcess host = ProxyProcess.start(launcher, directory, "host", List.of(
            "--listen", link, "--allow-connect", hostSocket.toString()));
        final ProxyProcess guest = ProxyProcess.start(launcher, directory, "guest", List.of(
            "--connect", link, "--forward", guestSocket + "=" + hostSocket));
        try (Applications applications = new Applications(hostSocket, guestSocket)) {
            new Fairness(durationMs).run(applications, rounds);
        } finally {
            guest.stop();
            host.stop();
        }
    }

    private void run(final Applications applications, final int rounds) {
        final List<Measured> all = List.of(
            new Measured("through the proxies, quiet", applications::connect, false, new ArrayList<>()),
            new Measured("through the proxies, one busy", applications::connect, true, new ArrayList<>()),
            new Measured("plain sockets, quiet", applications::connectDirectly, false, new ArrayList<>()),
            new Measured("plain sockets, one busy", applications::connectDirectly, true, new ArrayList<>()));
        for (int round = -1; round < rounds; round++) {
            for (final Measured measured : all) {
                final Result result = measure(measured.way, measured.withBusy);
                // The first round warms up.
                if (round >= 0) {
                    measured.results.add(result);
                }
            }
        }
        System.out.printf(Locale.ROOT, "medians of %d rounds of %d ms; %d quiet streams, round trips of %d B in us%n"
            + "%-30s %10s %10s %14s%n", rounds, durationMs, QUIET_STREAMS, MESSAGE_LENGTH, "", "p50", "p99",
            "busy MiB/s");
        for (final Measured measured : all) {
            System.out.printf(Locale.ROOT, "%-30s %10.1f %10.1f %14.0f%n", measured.what,
                measured.median(Result::p50), measured.median(Result::p99), measured.median(Result::busyMibPerSecond));
        }
    }

    private Result measure(final Supplier<Applications.Ends> way, final boolean withBusy) {
        final Applications.Ends[] quiet = new Applications.Ends[QUIET_STREAMS];
        final List<FutureTask<Void>> tasks = new ArrayList<>();
        for (int i = 0; i < quiet.length; i++) {
            final Applications.Ends ends = way.get();
            quiet[i] = ends;
            tasks.add(Threads.start("echo-" + i, () -> RoundTrips.echo(ends.host())));
        }
        final LongAdder bytes = new LongAdder();
        final Applications.Ends busy = withBusy ? way.get() : null;
        if (withBusy) {
            tasks.add(Threads.start("busy-reader", () -> drain(busy.host(), bytes)));
        }
        final long startNs = System.nanoTime();
        final long endNs = startNs + TimeUnit.MILLISECONDS.toNanos(durationMs);
        if (withBusy) {
            tasks.add(Threads.start("busy-writer", () -> fill(busy.guest(), endNs)));
        }
        final Histogram histogram = ask(quiet, endNs);
        final double seconds = (System.nanoTime() - startNs) / NS_PER_S;
        final double busyMib = bytes.sum() / MIB;
        for (final Applications.Ends ends : quiet) {
            Syscalls.shutdown(ends.guest().fd(), Constants.SHUT_RDWR);
        }
        tasks.forEach(task -> Threads.await(task, TIMEOUT_S));
        Arrays.stream(quiet).forEach(Applications.Ends::close);
        if (withBusy) {
            busy.close();
        }
        return new Result(histogram.getValueAtPercentile(P50) / NS_PER_US,
            histogram.getValueAtPercentile(P99) / NS_PER_US, busyMib / seconds);
    }

    private static Histogram ask(final Applications.Ends[] quiet, final long endNs) {
        final Histogram histogram = new Histogram(HIGHEST_NS, DIGITS);
        try (Memory request = Memory.allocate(MESSAGE_LENGTH); Memory reply = Memory.allocate(MESSAGE_LENGTH)) {
            for (int i = 0; System.nanoTime() - endNs < 0; i++) {
                final Channel stream = quiet[i % quiet.length].guest();
                request.buffer().putInt(0, i);
                final long sentNs = System.nanoTime();
                stream.writeFully(request.address(), MESSAGE_LENGTH);
                stream.readFully(reply.address(), MESSAGE_LENGTH);
                histogram.recordValue(Math.min(System.nanoTime() - sentNs, HIGHEST_NS));
                Check.equal("reply", i, reply.buffer().getInt(0));
            }
        }
        return histogram;
    }

    private static void fill(final Channel channel, final long endNs) {
        try (Memory memory = Memory.allocate(PIECE_LENGTH)) {
            while (System.nanoTime() - endNs < 0) {
                channel.writeFully(memory.address(), PIECE_LENGTH);
            }
        }
        Syscalls.shutdown(channel.fd(), Constants.SHUT_WR);
    }

    private static void drain(final Channel channel, final LongAdder bytes) {
        try (Memory memory = Memory.allocate(PIECE_LENGTH)) {
            int count = channel.readSome(memory.address(), PIECE_LENGTH);
            while (count > 0) {
                bytes.add(count);
                count = channel.readSome(memory.address(), PIECE_LENGTH);
            }
        }
    }
}
