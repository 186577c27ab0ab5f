/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.demo;

import io.vsockproxy.posix.Constants;
import io.vsockproxy.posix.Memory;
import io.vsockproxy.posix.Syscalls;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import org.HdrHistogram.Histogram;

/**
 * Measures round trips, one at a time, and for comparison the same over a plain unix socket.
 */
final class RoundTrips implements Step {
    private static final int MESSAGE_LENGTH = 64;
    private static final int WARM_UP_COUNT = 10_000;
    private static final long MAX_WARM_UP_NS = TimeUnit.SECONDS.toNanos(2);
    private static final int COUNT = 20_000;
    private static final long MAX_NS = TimeUnit.SECONDS.toNanos(5);
    private static final int PROGRESS_INTERVAL = 512;
    private static final long HIGHEST_NS = 10_000_000_000L;
    private static final int DIGITS = 3;
    private static final int ECHO_TIMEOUT_S = 5;

    @Override
    public String name() {
        return "request and reply";
    }

    @Override
    public List<Row> run(final Applications applications, final Screen screen) {
        final Row direct = measure("  without the proxies", applications.connectDirectly(), screen);
        return List.of(measure("request and reply, " + MESSAGE_LENGTH + " B", applications.connect(), screen), direct);
    }

    private static Row measure(final String what, final Applications.Ends ends, final Screen screen) {
        final Histogram histogram = new Histogram(HIGHEST_NS, DIGITS);
        try (ends) {
            final FutureTask<Void> echo = Threads.start("demo-echo", () -> echo(ends.host()));
            exchange(ends.guest(), WARM_UP_COUNT, MAX_WARM_UP_NS, histogram, what.strip() + ", warming up", screen);
            histogram.reset();
            exchange(ends.guest(), COUNT, MAX_NS, histogram, what.strip(), screen);
            // The echoing end may be closed only once it has read the end of the stream.
            Syscalls.shutdown(ends.guest().fd(), Constants.SHUT_RDWR);
            Threads.await(echo, ECHO_TIMEOUT_S);
        }
        return new Row(
            what, String.format(Locale.ROOT, "%,d round trips", histogram.getTotalCount()), "",
            microseconds(histogram, 50), microseconds(histogram, 99));
    }

    /** As many as {@code count}, in a slow machine as many as there is time for. */
    private static void exchange(
        final Channel channel,
        final int count,
        final long maxNs,
        final Histogram histogram,
        final String what,
        final Screen screen) {
        final long endNs = System.nanoTime() + maxNs;
        try (Memory request = Memory.allocate(MESSAGE_LENGTH); Memory reply = Memory.allocate(MESSAGE_LENGTH)) {
            long nowNs = endNs - maxNs;
            for (int i = 0; i < count && nowNs - endNs < 0; i++) {
                request.buffer().setMemory(0, MESSAGE_LENGTH, (byte) i);
                request.buffer().putInt(0, i);
                final long startNs = System.nanoTime();
                channel.writeFully(request.address(), MESSAGE_LENGTH);
                channel.readFully(reply.address(), MESSAGE_LENGTH);
                nowNs = System.nanoTime();
                Check.that("reply " + i + " is its request", request.buffer().equals(reply.buffer()));
                histogram.recordValue(Math.min(nowNs - startNs, HIGHEST_NS));
                if (i % PROGRESS_INTERVAL == 0) {
                    screen.progress(what + ", " + i + " of " + count);
                }
            }
        }
    }

    /** Sends back what comes, until the end. */
    static void echo(final Channel channel) {
        try (Memory memory = Memory.allocate(MESSAGE_LENGTH)) {
            int count = channel.readSome(memory.address(), MESSAGE_LENGTH);
            while (count > 0) {
                channel.writeFully(memory.address(), count);
                count = channel.readSome(memory.address(), MESSAGE_LENGTH);
            }
        }
    }

    private static String microseconds(final Histogram histogram, final double percentile) {
        return String.format(Locale.ROOT, "%.1f", histogram.getValueAtPercentile(percentile) / 1000.0);
    }
}
