/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.endtoend;

import io.vsockproxy.demo.Applications;
import io.vsockproxy.demo.DemoException;
import io.vsockproxy.demo.Threads;
import io.vsockproxy.posix.Constants;
import io.vsockproxy.posix.Memory;
import io.vsockproxy.posix.Syscalls;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.HdrHistogram.Histogram;

/**
 * What is measured on a connection.
 */
final class Measurements {
    private static final int DIGITS = 3;
    private static final long HIGHEST_NS = TimeUnit.SECONDS.toNanos(10);
    private static final int READ_LENGTH = 256 << 10;
    private static final double MIB = 1 << 20;
    private static final int END_TIMEOUT_S = 20;

    private Measurements() {
    }

    /**
     * Measures round trips, one at a time: a request of {@code length} bytes, echoed as the reply, which is compared
     * with it.
     *
     * @param warmUpNs how long to run first without recording anything.
     * @param forNs how long to record after that.
     * @return the round trips' times in nanoseconds.
     */
    static Histogram roundTrips(final Applications.Ends ends, final int length, final long warmUpNs, final long forNs) {
        final Histogram histogram = new Histogram(HIGHEST_NS, DIGITS);
        try (ends; Memory request = Memory.allocate(length); Memory reply = Memory.allocate(length)) {
            final FutureTask<Void> echo = Threads.start("bench-echo", () -> echo(ends, length));
            request.buffer().setMemory(0, length, (byte) 'x');
            final long recordNs = System.nanoTime() + warmUpNs;
            final long endNs = recordNs + forNs;
            int number = 0;
            long startNs = System.nanoTime();
            while (startNs < endNs || histogram.getTotalCount() == 0) {
                request.buffer().putInt(0, ++number);
                startNs = System.nanoTime();
                ends.guest().writeFully(request.address(), length);
                ends.guest().readFully(reply.address(), length);
                final long tookNs = System.nanoTime() - startNs;
                if (reply.buffer().getInt(0) != number) {
                    throw new DemoException("reply " + reply.buffer().getInt(0) + " to request " + number);
                }
                if (startNs >= recordNs) {
                    histogram.recordValue(Math.min(tookNs, HIGHEST_NS));
                }
            }
            Syscalls.shutdown(ends.guest().fd(), Constants.SHUT_RDWR);
            Threads.await(echo, END_TIMEOUT_S);
        }
        return histogram;
    }

    /**
     * Measures the throughput in one direction, in MiB/s, with writes of {@code length} bytes. The times below start
     * with the first byte that arrives.
     *
     * @param warmUpNs how long to run first without counting anything.
     * @param forNs    how long to count after that; longer if nothing has arrived by then.
     */
    static double throughput(final Applications.Ends ends, final int length, final long warmUpNs, final long forNs) {
        try (ends; Memory memory = Memory.allocate(READ_LENGTH)) {
            final AtomicBoolean done = new AtomicBoolean();
            final FutureTask<Void> writer = Threads.start("bench-writer", () -> write(ends, length, done));
            read(ends, memory);
            final long recordNs = System.nanoTime() + warmUpNs;
            while (System.nanoTime() < recordNs) {
                read(ends, memory);
            }
            final long startNs = System.nanoTime();
            long bytes = 0;
            long tookNs = 0;
            while (tookNs < forNs) {
                bytes += read(ends, memory);
                tookNs = System.nanoTime() - startNs;
            }
            done.set(true);
            while (ends.host().readSome(memory.address(), READ_LENGTH) > 0) {
                // Drains what is still on its way.
            }
            Threads.await(writer, END_TIMEOUT_S);
            return bytes / MIB * TimeUnit.SECONDS.toNanos(1) / tookNs;
        }
    }

    private static void echo(final Applications.Ends ends, final int length) {
        try (Memory memory = Memory.allocate(length)) {
            int count = ends.host().readSome(memory.address(), length);
            while (count > 0) {
                ends.host().writeFully(memory.address(), count);
                count = ends.host().readSome(memory.address(), length);
            }
        }
    }

    private static int read(final Applications.Ends ends, final Memory memory) {
        final int count = ends.host().readSome(memory.address(), READ_LENGTH);
        if (count == 0) {
            throw new DemoException("the connection has ended while there was more to come");
        }
        return count;
    }

    private static void write(final Applications.Ends ends, final int length, final AtomicBoolean done) {
        try (Memory memory = Memory.allocate(length)) {
            while (!done.get()) {
                ends.guest().writeFully(memory.address(), length);
            }
        } finally {
            Syscalls.shutdown(ends.guest().fd(), Constants.SHUT_WR);
        }
    }
}
