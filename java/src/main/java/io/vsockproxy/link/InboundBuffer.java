/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.link;

import io.vsockproxy.posix.Memory;
import org.agrona.DirectBuffer;
import org.agrona.concurrent.UnsafeBuffer;

/**
 * Bytes that have been received and not yet handled, contiguous, so that frames can be read where they lie.
 *
 * <pre>
 *   0            head             tail                 window                          capacity
 *   +------------+----------------+--------------------+--------------------------------+
 *   | handled    | to be read     | room for the next  | only for a frame too large for |
 *   |            |                | receive            | the window; given back after   |
 *   +------------+----------------+--------------------+--------------------------------+
 * </pre>
 *
 * <p>It is reset whenever it is empty, so most bytes are never moved; the unread tail is moved to the front only when
 * the room behind it runs out. Beyond the window it takes no memory until a large frame's bytes arrive. Confined to the
 * loop's thread.
 */
public final class InboundBuffer implements AutoCloseable {
    private final Memory memory;
    private final int windowLength;
    private int head;
    private int tail;
    private int limit;
    private int highWater;

    /**
     * @param windowLength   bytes used in normal operation.
     * @param maxFrameLength the largest frame that must fit as a whole, in bytes.
     */
    public InboundBuffer(final int windowLength, final int maxFrameLength) {
        this.windowLength = windowLength;
        this.limit = windowLength;
        memory = Memory.allocate(Math.addExact(windowLength, maxFrameLength));
    }

    /** The bytes; those in [{@link #head}, {@code head + }{@link #available}) are to be read. */
    public UnsafeBuffer buffer() {
        return memory.buffer();
    }

    /** Index of the first unread byte. */
    public int head() {
        return head;
    }

    /** How many bytes are unread. */
    public int available() {
        return tail - head;
    }

    /** The address of the {@code length} received bytes at {@code index}. */
    public long address(final int index, final int length) {
        return memory.address(index, length);
    }

    /** Marks {@code length} bytes as read. */
    public void consume(final int length) {
        head += length;
        if (head == tail) {
            reset();
        }
    }

    /** Ensures that {@code length} bytes from {@link #head} on, not all of which have arrived, will fit. */
    public void require(final int length) {
        if (head + length > limit) {
            compact();
            limit = Math.max(windowLength, length);
        }
    }

    /** How many bytes may be received at {@link #receiveAddress}; 0 only when a whole window is unread. */
    public int room() {
        if (limit - tail < windowLength / 8 && head > 0) {
            compact();
        }
        return limit - tail;
    }

    /** Where {@link #room} bytes may be received. */
    public long receiveAddress() {
        return memory.address() + tail;
    }

    /** {@code length} bytes have been received. */
    public void received(final int length) {
        tail += length;
        highWater = Math.max(highWater, tail);
    }

    /** Appends bytes that have been received some other way. There must be room for them: see {@link #require}. */
    public void append(final DirectBuffer source, final int offset, final int length) {
        memory.buffer().putBytes(tail, source, offset, length);
        received(length);
    }

    @Override
    public void close() {
        memory.close();
    }

    private void compact() {
        if (head > 0) {
            final UnsafeBuffer buffer = memory.buffer();
            buffer.putBytes(0, buffer, head, tail - head);
            tail -= head;
            head = 0;
        }
    }

    private void reset() {
        head = 0;
        tail = 0;
        limit = windowLength;
        if (highWater > windowLength) {
            memory.release(windowLength, highWater - windowLength);
            highWater = 0;
        }
    }
}
