/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.demo;

import java.nio.ByteBuffer;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.FutureTask;
import java.util.concurrent.atomic.LongAdder;
import java.util.zip.CRC32C;
import org.agrona.concurrent.UnsafeBuffer;

/**
 * Many bytes on one connection, in both directions at once, with checksums of what was sent and of what arrived.
 */
final class BulkTransfer implements Step {
    private static final long LENGTH = 256L << 20;
    private static final int CHUNK_LENGTH = 256 << 10;
    private static final long MIB = 1 << 20;
    private static final long TIMEOUT_S = 60;

    @Override
    public String name() {
        return (LENGTH / MIB) + " MiB each way at once";
    }

    @Override
    public List<Row> run(final Applications applications, final Screen screen) {
        final long seed = System.nanoTime();
        final LongAdder received = new LongAdder();
        final long[] checksums = new long[4];
        final long startNs = System.nanoTime();
        try (Applications.Ends ends = applications.connect()) {
            final List<FutureTask<Void>> ways = List.of(
                Threads.start("demo-guest-send", () -> checksums[0] = send(ends.guest(), seed)),
                Threads.start("demo-host-receive", () -> checksums[1] = receive(ends.host(), received, screen)),
                Threads.start("demo-host-send", () -> checksums[2] = send(ends.host(), ~seed)),
                Threads.start("demo-guest-receive", () -> checksums[3] = receive(ends.guest(), received, screen)));
            ways.forEach(way -> Threads.await(way, TIMEOUT_S));
        }
        final double seconds = (System.nanoTime() - startNs) / 1e9;
        Check.equal("checksum of guest to host (seed " + seed + ")", checksums[0], checksums[1]);
        Check.equal("checksum of host to guest (seed " + seed + ")", checksums[2], checksums[3]);
        final double rate = 2.0 * LENGTH / MIB / seconds;
        return List.of(new Row(
            "both ways at once, checksums agree", (LENGTH / MIB) + " MiB each way",
            String.format(Locale.ROOT, "%,.0f", rate), "", ""));
    }

    private static long send(final Channel channel, final long seed) {
        final ByteBuffer chunk = ByteBuffer.allocateDirect(CHUNK_LENGTH);
        final UnsafeBuffer buffer = new UnsafeBuffer(chunk);
        final CRC32C checksum = new CRC32C();
        long state = seed | 1;
        for (long done = 0; done < LENGTH; done += CHUNK_LENGTH) {
            for (int i = 0; i < CHUNK_LENGTH; i += Long.BYTES) {
                // Marsaglia's xorshift: quick, and no two chunks alike.
                state ^= state << 13;
                state ^= state >>> 7;
                state ^= state << 17;
                buffer.putLong(i, state);
            }
            checksum.update(chunk.clear());
            channel.writeFully(buffer.addressOffset(), CHUNK_LENGTH);
        }
        return checksum.getValue();
    }

    private static long receive(final Channel channel, final LongAdder received, final Screen screen) {
        final ByteBuffer chunk = ByteBuffer.allocateDirect(CHUNK_LENGTH);
        final UnsafeBuffer buffer = new UnsafeBuffer(chunk);
        final CRC32C checksum = new CRC32C();
        long done = 0;
        while (done < LENGTH) {
            final int count = channel.readSome(buffer.addressOffset(), (int) Math.min(CHUNK_LENGTH, LENGTH - done));
            Check.that("the other end goes on after " + done + " bytes", count > 0);
            checksum.update(chunk.limit(count).position(0));
            chunk.clear();
            done += count;
            received.add(count);
            screen.progress(received.sum() / MIB + " of " + 2 * LENGTH / MIB + " MiB");
        }
        return checksum.getValue();
    }
}
