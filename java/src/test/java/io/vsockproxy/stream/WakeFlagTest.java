/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.stream;

import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.vsockproxy.testing.Await;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.agrona.BufferUtil;
import org.agrona.concurrent.MessageHandler;
import org.agrona.concurrent.UnsafeBuffer;
import org.agrona.concurrent.ringbuffer.ManyToOneRingBuffer;
import org.agrona.concurrent.ringbuffer.RingBufferDescriptor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * The hand-over between a ring's writers and its reader, which is woken once for many messages, with each on a
 * processor of its own if possible. If the flag were read plainly instead of being updated atomically, a message would
 * be lost in some thousand rounds.
 */
@Timeout(value = 60, unit = TimeUnit.SECONDS)
class WakeFlagTest {
    private static final int CAPACITY = 1 << 16;
    private static final int ALIGNMENT = 64;
    private static final int MESSAGE_LENGTH = 8;
    private static final long RUN_NS = TimeUnit.SECONDS.toNanos(2);
    private static final long SPIN_NS = TimeUnit.MILLISECONDS.toNanos(10);

    private final ManyToOneRingBuffer ring = new ManyToOneRingBuffer(new UnsafeBuffer(
        BufferUtil.allocateDirectAligned(CAPACITY + RingBufferDescriptor.TRAILER_LENGTH, ALIGNMENT)));
    private final WakeFlag flag = new WakeFlag();
    private final AtomicLong told = new AtomicLong();
    private final AtomicLong received = new AtomicLong();
    private volatile boolean stopping;

    @Test
    void shouldHaveTheReaderToldOnceUntilItLooks() {
        assertTrue(flag.raise());
        assertFalse(flag.raise());
        flag.lower();
        assertTrue(flag.raise());
    }

    @Test
    void shouldNotForgetAMessageThatIsCommittedAsTheReaderLooks() throws InterruptedException {
        final Thread reader = new Thread(this::read, "reader");
        reader.start();
        try {
            final UnsafeBuffer message = new UnsafeBuffer(new byte[MESSAGE_LENGTH]);
            final long beginNs = System.nanoTime();
            long sent = 0;
            for (int round = 0; System.nanoTime() - beginNs < RUN_NS; round++) {
                // The first wakes the reader; the next ones are written while it wakes up.
                for (int left = 2 + round % 4; left > 0; left--) {
                    assertTrue(ring.write(1, message, 0, MESSAGE_LENGTH));
                    sent++;
                    if (flag.raise()) {
                        told.incrementAndGet();
                    }
                }
                final long sentNs = System.nanoTime();
                while (received.get() != sent && System.nanoTime() - sentNs < SPIN_NS) {
                    Thread.onSpinWait();
                }
                if (received.get() != sent) {
                    final long expected = sent;
                    Await.until(() -> received.get() == expected, () -> received + " of " + expected + " messages");
                }
            }
        } finally {
            stopping = true;
            reader.join();
        }
    }

    /** As the loop does: looks into the ring only when it was told to. */
    private void read() {
        final long[] count = new long[1];
        final MessageHandler handler = (type, buffer, index, length) -> count[0]++;
        long heard = 0;
        while (!stopping) {
            if (told.get() > heard) {
                heard++;
                flag.lower();
                ring.read(handler);
                ring.read(handler);
                received.set(count[0]);
            }
        }
    }
}
