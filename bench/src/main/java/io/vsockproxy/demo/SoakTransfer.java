/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.demo;

import io.vsockproxy.posix.Constants;
import io.vsockproxy.posix.PosixException;
import io.vsockproxy.posix.Syscalls;
import java.util.concurrent.FutureTask;
import java.util.concurrent.locks.LockSupport;

/**
 * Sends bytes in one direction of a connection up to its end, and compares each one that arrives with what was sent.
 */
final class SoakTransfer {
    private static final long TIMEOUT_S = 60;

    private SoakTransfer() {
    }

    /** Starts to write {@code length} bytes, and then the end. */
    static FutureTask<Void> startSending(final Channel channel, final long seed, final long length) {
        return Threads.start("soak-send", () -> {
            final SoakBytes bytes = new SoakBytes(seed);
            long done = 0;
            while (done < length) {
                final int count = (int) Math.min(SoakBytes.CHUNK_LENGTH, length - done);
                channel.writeFully(bytes.put(done, count), count);
                done += count;
            }
            PosixException.check(Syscalls.shutdown(channel.fd(), Constants.SHUT_WR), "shutdown");
        });
    }

    /**
     * Reads {@code length} bytes and the end of the stream.
     *
     * @param pauseNs before each read.
     */
    static void receive(
        final String what,
        final Channel channel,
        final long seed,
        final long length,
        final long pauseNs,
        final SoakLedger ledger) {
        final SoakBytes bytes = new SoakBytes(seed);
        final long done = receiveUntilEnd(what, channel, bytes, 0, pauseNs, ledger);
        if (done != length) {
            throw new WrongByteException(
                what + ": the end after " + done + " of " + length + " bytes (seed " + seed + ")", done < length);
        }
    }

    /** Reads and compares up to the end, from {@code position} on; returns where that is. */
    static long receiveUntilEnd(
        final String what,
        final Channel channel,
        final SoakBytes bytes,
        final long position,
        final long pauseNs,
        final SoakLedger ledger) {
        long done = position;
        int count;
        do {
            if (pauseNs > 0) {
                LockSupport.parkNanos(pauseNs);
            }
            count = channel.readSome(bytes.receiveAddress(), SoakBytes.CHUNK_LENGTH);
            bytes.check(what, done, count);
            done += count;
            ledger.bytes.add(count);
        } while (count > 0);
        return done;
    }

    /** Runs {@code receiving} beside {@code sendings} and waits for all of them, whatever becomes of one. */
    @SafeVarargs
    static void join(
        final Applications.Ends ends, final Runnable receiving, final FutureTask<Void>... sendings) {
        RuntimeException failure = null;
        try {
            receiving.run();
        } catch (final RuntimeException e) {
            failure = e;
            // No thread may go on using a descriptor that is closed.
            Syscalls.shutdown(ends.guest().fd(), Constants.SHUT_RDWR);
            Syscalls.shutdown(ends.host().fd(), Constants.SHUT_RDWR);
        }
        for (final FutureTask<Void> sending : sendings) {
            try {
                Threads.await(sending, TIMEOUT_S);
            } catch (final RuntimeException e) {
                failure = failure == null ? e : failure;
            }
        }
        if (failure != null) {
            throw failure;
        }
    }
}
