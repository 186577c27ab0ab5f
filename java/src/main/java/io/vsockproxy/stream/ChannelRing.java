/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.stream;

import io.vsockproxy.channel.Channel;
import io.vsockproxy.channel.ChannelClaim;
import io.vsockproxy.channel.ChannelSender;
import io.vsockproxy.loop.EventLoop;
import io.vsockproxy.posix.OwnedFd;
import org.agrona.BufferUtil;
import org.agrona.DirectBuffer;
import org.agrona.MutableDirectBuffer;
import org.agrona.concurrent.ControlledMessageHandler;
import org.agrona.concurrent.UnsafeBuffer;
import org.agrona.concurrent.ringbuffer.ManyToOneRingBuffer;
import org.agrona.concurrent.ringbuffer.RingBufferDescriptor;

/**
 * Other threads' messages on their way to a {@link ChannelStream}. A record consists of the length of its message and
 * the message, so that a claim may be committed with fewer bytes than were claimed.
 *
 * <p>Any thread, except {@link #drain}, {@link #onMessage}, {@link #outputEnded} and {@link #closed}, which only the
 * loop's thread may call.
 */
final class ChannelRing implements ChannelSender, ChannelClaim.Owner, ControlledMessageHandler {
    static final OwnedFd[] NO_DESCRIPTORS = {};

    private static final int MIN_CAPACITY = 4096;
    private static final int ALIGNMENT = 64;
    private static final int MESSAGE_TYPE = 1;
    private static final int HEADER_LENGTH = Integer.BYTES;

    private final EventLoop loop;
    private final ChannelStream stream;
    private final UnsafeBuffer buffer;
    private final ManyToOneRingBuffer ring;
    private final int maxLength;
    private final WakeFlag woken = new WakeFlag();
    private final Runnable onWoken = this::onWoken;
    private boolean refused;
    private volatile boolean resumeWanted;
    private volatile boolean shutdownWanted;
    private volatile boolean closeWanted;
    private volatile boolean outputEnded;
    private volatile boolean closed;

    ChannelRing(final EventLoop loop, final ChannelStream stream, final int capacity, final int maxLength) {
        if (capacity < MIN_CAPACITY || Integer.bitCount(capacity) != 1) {
            throw new IllegalArgumentException(
                "capacity=" + capacity + ": a power of two, min=" + MIN_CAPACITY + ", is needed");
        }
        this.loop = loop;
        this.stream = stream;
        buffer = new UnsafeBuffer(
            BufferUtil.allocateDirectAligned(capacity + RingBufferDescriptor.TRAILER_LENGTH, ALIGNMENT));
        ring = new ManyToOneRingBuffer(buffer);
        this.maxLength = Math.min(maxLength, ring.maxMsgLength() - HEADER_LENGTH);
    }

    @Override
    public int offer(final DirectBuffer source, final int offset, final int length) {
        checkLength(length);
        source.boundsCheck(offset, length);
        final int index = claim(length);
        if (index < 0) {
            return index;
        }
        buffer.putInt(index, length);
        buffer.putBytes(index + HEADER_LENGTH, source, offset, length);
        ring.commit(index);
        wake();
        return length;
    }

    @Override
    public int tryClaim(final int length, final ChannelClaim claim) {
        if (claim.isOpen()) {
            throw new IllegalStateException("this claim of " + claim.length() + " bytes is already in use");
        }
        checkLength(length);
        final int index = claim(length);
        if (index < 0) {
            return index;
        }
        claim.wrap(this, buffer.addressOffset() + index + HEADER_LENGTH, length);
        return length;
    }

    @Override
    public void commit(final ChannelClaim claim, final int length) {
        final int index = index(claim);
        claim.unwrap();
        buffer.putInt(index, length);
        ring.commit(index);
        wake();
    }

    @Override
    public void abort(final ChannelClaim claim) {
        final int index = index(claim);
        claim.unwrap();
        ring.abort(index);
        wake();
    }

    @Override
    public int maxLength() {
        return maxLength;
    }

    @Override
    public void resume() {
        resumeWanted = true;
        wake();
    }

    @Override
    public void shutdownOutput() {
        shutdownWanted = true;
        wake();
    }

    @Override
    public boolean isOpen() {
        return !closed && !closeWanted;
    }

    @Override
    public void close() {
        closeWanted = true;
        wake();
    }

    /** Whether every message has been read from the ring. */
    boolean isEmpty() {
        return ring.size() == 0;
    }

    /** The channel sends no more: nothing is accepted, as what was offered would be dropped. */
    void outputEnded() {
        outputEnded = true;
    }

    /** The channel has ended: nothing more is accepted. */
    void closed() {
        closed = true;
    }

    /**
     * Sends the messages in the ring, and then shuts down or closes the channel if that was asked for. Returns false
     * when there was no room for all of them.
     */
    boolean drain() {
        // Read before the ring: what was offered before shutdown or close is in the ring already.
        final boolean toEnd = shutdownWanted || closeWanted;
        return toEnd ? drainToEnd() : drainOnce();
    }

    @Override
    public Action onMessage(
        final int type, final MutableDirectBuffer messages, final int index, final int length) {
        final int result = stream.offer(
            messages, index + HEADER_LENGTH, messages.getInt(index), NO_DESCRIPTORS);
        refused = result == Channel.WOULD_BLOCK;
        return refused ? Action.ABORT : Action.CONTINUE;
    }

    private boolean drainToEnd() {
        final boolean close = closeWanted;
        while (!isEmpty()) {
            final long before = ring.consumerPosition();
            if (!drainOnce()) {
                return false;
            }
            if (ring.consumerPosition() == before) {
                // The next record is a claim that is still open; its commit wakes the loop again.
                return true;
            }
        }
        if (close) {
            stream.closeInOrder();
        } else {
            stream.shutdownOutput();
        }
        return true;
    }

    private boolean drainOnce() {
        refused = false;
        ring.controlledRead(this);
        if (!refused) {
            // One read goes no further than the point where the ring wraps around.
            ring.controlledRead(this);
        }
        return !refused;
    }

    private void checkLength(final int length) {
        if (length < 1 || length > maxLength) {
            throw new IllegalArgumentException("length=" + length + ", min=1, max=" + maxLength);
        }
    }

    private int claim(final int length) {
        if (closed || closeWanted || shutdownWanted || outputEnded) {
            return Channel.CLOSED;
        }
        final int index = ring.tryClaim(MESSAGE_TYPE, HEADER_LENGTH + length);
        return index > 0 ? index : Channel.WOULD_BLOCK;
    }

    private int index(final ChannelClaim claim) {
        return (int) (claim.buffer().addressOffset() - buffer.addressOffset()) - HEADER_LENGTH;
    }

    /** Has the loop look into the ring; one command suffices for everything added until it does. */
    private void wake() {
        while (!closed && woken.raise()) {
            if (loop.execute(onWoken)) {
                return;
            }
            // The queue of commands is full; the loop is about to empty it.
            woken.lower();
            if (loop.isOwnThread()) {
                resumeIfWanted();
                stream.onRingFromLoop();
                return;
            }
            Thread.onSpinWait();
        }
    }

    private void onWoken() {
        woken.lower();
        resumeIfWanted();
        stream.onRing();
    }

    private void resumeIfWanted() {
        if (resumeWanted) {
            resumeWanted = false;
            stream.resume();
        }
    }
}
