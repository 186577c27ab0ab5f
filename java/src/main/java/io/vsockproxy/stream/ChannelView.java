/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.stream;

import io.vsockproxy.channel.Channel;
import io.vsockproxy.channel.ChannelClaim;
import io.vsockproxy.channel.ChannelSender;
import io.vsockproxy.channel.Peer;
import io.vsockproxy.posix.ControlData;
import io.vsockproxy.posix.OwnedFd;
import org.agrona.DirectBuffer;

/**
 * A {@link ChannelStream} as its component sees it: checks the thread and the arguments of each call. Ending or closing
 * it takes effect after what other threads have put into the ring, if there is one. Confined to the loop's thread.
 */
final class ChannelView implements Channel, ChannelClaim.Owner {
    private final ChannelStream stream;
    private final Peer peer;
    private final ChannelCommons commons;

    ChannelView(final ChannelStream stream, final Peer peer, final ChannelCommons commons) {
        this.stream = stream;
        this.peer = peer;
        this.commons = commons;
    }

    @Override
    public int offer(final DirectBuffer buffer, final int offset, final int length) {
        commons.check();
        checkLength(length, 0);
        return length == 0 && stream.canSend() ? 0
            : offered(stream.offer(buffer, offset, length, ChannelRing.NO_DESCRIPTORS));
    }

    @Override
    public int offer(
        final DirectBuffer buffer, final int offset, final int length, final OwnedFd... descriptors) {
        if (descriptors.length == 0) {
            return offer(buffer, offset, length);
        }
        commons.check();
        checkLength(length, 1);
        if (descriptors.length > ControlData.MAX_DESCRIPTORS) {
            throw new IllegalArgumentException(
                "descriptors=" + descriptors.length + ", max=" + ControlData.MAX_DESCRIPTORS);
        }
        if (stream.canSend()) {
            final String obstacle = stream.obstacle(descriptors);
            if (obstacle != null) {
                throw new IllegalArgumentException(obstacle);
            }
        }
        return offered(stream.offer(buffer, offset, length, descriptors));
    }

    @Override
    public int tryClaim(final int length, final ChannelClaim claim) {
        commons.check();
        checkLength(length, 1);
        if (claim.isOpen()) {
            throw new IllegalStateException("this claim of " + claim.length() + " bytes is already in use");
        }
        if (!stream.canSend()) {
            return CLOSED;
        }
        if (!stream.claim(length)) {
            return offered(WOULD_BLOCK);
        }
        claim.wrap(this, stream.handler.claimedAddress(), length);
        commons.beginClaim(claim, stream.handler);
        return length;
    }

    @Override
    public void commit(final ChannelClaim claim, final int length) {
        stream.loop.checkThread();
        commons.endClaim();
        stream.spend(length);
        stream.handler.commit(stream, length, null);
    }

    @Override
    public void abort(final ChannelClaim claim) {
        stream.loop.checkThread();
        commons.endClaim();
        stream.handler.abort();
    }

    @Override
    public int maxLength() {
        return commons.maxLength();
    }

    @Override
    public void pause() {
        commons.check();
        stream.pause();
    }

    @Override
    public void resume() {
        commons.check();
        stream.resume();
    }

    @Override
    public boolean isPaused() {
        return stream.isPaused();
    }

    @Override
    public void shutdownOutput() {
        commons.check();
        final ChannelRing ring = stream.ring();
        if (ring != null && !ring.isEmpty()) {
            ring.shutdownOutput();
        } else {
            stream.shutdownOutput();
        }
    }

    @Override
    public void close() {
        commons.check();
        final ChannelRing ring = stream.ring();
        if (ring != null && !ring.isEmpty() && stream.canSend()) {
            ring.close();
        } else {
            stream.closeInOrder();
        }
    }

    @Override
    public void reset(final int errno) {
        commons.check();
        if (errno <= 0) {
            throw new IllegalArgumentException("errno=" + errno + ", min=1");
        }
        stream.reset(errno);
    }

    @Override
    public boolean isOpen() {
        return stream.isOpen();
    }

    @Override
    public Peer peer() {
        return peer;
    }

    @Override
    public ChannelSender sender(final int capacity) {
        commons.check();
        return stream.openRing(capacity);
    }

    @Override
    public String toString() {
        return peer.name() + " " + stream;
    }

    private int offered(final int result) {
        if (result == WOULD_BLOCK) {
            stream.onRefused();
        }
        return result;
    }

    private void checkLength(final int length, final int minimum) {
        if (length < minimum || length > commons.maxLength()) {
            throw new IllegalArgumentException(
                "length=" + length + ", min=" + minimum + ", max=" + commons.maxLength());
        }
    }
}
