/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.stream;

import io.vsockproxy.channel.Channel;
import io.vsockproxy.channel.ChannelClaim;
import io.vsockproxy.channel.ChannelHandler;
import io.vsockproxy.channel.ChannelSender;
import io.vsockproxy.channel.PassedDescriptors;
import io.vsockproxy.channel.Peer;
import io.vsockproxy.loop.EndOfTurnTask;
import io.vsockproxy.loop.EventLoop;
import io.vsockproxy.posix.ControlData;
import io.vsockproxy.posix.Errno;
import io.vsockproxy.posix.OwnedFd;
import org.agrona.DirectBuffer;
import org.agrona.concurrent.UnsafeBuffer;

/**
 * A local end that is a component of this process: what it offers is put into the session's claim at once, and what
 * arrives is given to its handler where it lies in the inbound buffer. What the handler does not take is queued.
 *
 * <p>That the channel is over, and that there is room again, is told at the end of the turn: the session may be in the
 * middle of its tables when it finds out.
 */
public final class ChannelStream extends Stream {
    private static final int[] NO_DESCRIPTORS = {};

    private final ChannelCommons commons;
    private final StreamCommons streamCommons;
    private final View view;
    private final UnsafeBuffer target = new UnsafeBuffer(0, 0);
    private final EndOfTurnTask pump = new EndOfTurnTask() {
        @Override
        protected void run() {
            pump();
        }
    };
    private final Runnable tellWritable = this::tellWritable;
    /** Null while nobody has taken it. */
    private ChannelHandler component;
    private boolean socketsAsChannels;
    private boolean dropped;
    private boolean endsInput;
    private ChannelRing ring;
    private int endReason = Errno.ECONNABORTED;
    private boolean reasonKnown;
    private boolean connected;
    private boolean paused;
    private boolean writable = true;
    private boolean refusedComponent;
    private boolean refusedRing;
    private boolean told;

    /**
     * @param peer      whom it leads to.
     * @param component is told nothing before {@link #connected}; null for what was passed to another component, which
     *                  may take it: until then it keeps what comes.
     */
    public ChannelStream(
        final EventLoop loop,
        final long handle,
        final Peer peer,
        final ChannelHandler component,
        final StreamCommons streamCommons,
        final ChannelCommons commons,
        final StreamHandler handler) {
        super(loop, StreamKind.CHANNEL, handle, streamCommons.pool(), handler);
        this.commons = commons;
        this.streamCommons = streamCommons;
        this.component = component;
        this.view = new View(peer);
        paused = component == null;
        socketsAsChannels = paused;
    }

    @Override
    public void start() {
        // Nothing to watch: the component acts by itself.
    }

    /** The peer knows of it too: tells the component. */
    public void connected() {
        if (!isClosed()) {
            guard(() -> socketsAsChannels = component.socketsAsChannels());
        }
        if (!isClosed()) {
            connected = true;
            guard(() -> component.onConnected(view));
        }
    }

    /** Whether sockets that come are to be channels too. */
    public boolean socketsAsChannels() {
        return socketsAsChannels;
    }

    /** A component may not take it on another thread than the loop's, nor while a claim is open. */
    void checkThread() {
        commons.check();
    }

    /** What was passed is this component's; it may be over already. */
    void takenBy(final ChannelHandler newComponent) {
        component = newComponent;
        connected = true;
        paused = false;
        guard(() -> component.onConnected(view));
        loop.atEndOfTurn(pump);
    }

    /** The component that it was passed to has not taken it. */
    void nobodysAnyMore() {
        // Not now: the session may be in the middle of its tables.
        dropped = true;
        loop.atEndOfTurn(pump);
    }

    @Override
    public boolean carriesDescriptors() {
        return true;
    }

    @Override
    public void endReason(final int errno) {
        if (!reasonKnown) {
            reasonKnown = true;
            endReason = errno;
        }
    }

    /** Gives bytes with descriptors to the component; takes ownership of those. */
    public void deliver(
        final DirectBuffer buffer, final int offset, final int length, final ChannelDelivery descriptors) {
        if (!isOpen() || isReaderGone()) {
            descriptors.abandon();
        } else if (paused || !queue.isEmpty() || !descriptors.isComplete()) {
            super.deliver(buffer, offset, length, descriptors);
        } else {
            final int taken = give(buffer, offset, length, descriptors);
            acknowledgeBytes(taken);
            if (taken < length && isOpen() && !isReaderGone()) {
                paused = true;
                if (taken == 0) {
                    super.deliver(buffer, offset, length, descriptors);
                    return;
                }
                enqueue(buffer, offset + taken, length - taken, NO_DESCRIPTORS);
            }
            descriptors.abandon();
        }
    }

    @Override
    void deliverNow(final DirectBuffer buffer, final int offset, final int length, final int[] descriptors) {
        final int taken = paused ? 0 : give(buffer, offset, length, commons.noDescriptors());
        acknowledgeBytes(taken);
        if (taken < length && isOpen() && !isReaderGone()) {
            paused = true;
            enqueue(buffer, offset + taken, length - taken, NO_DESCRIPTORS);
        }
    }

    @Override
    public boolean hasInput() {
        return ring != null && !ring.isEmpty();
    }

    @Override
    void wantReading(final boolean wanted) {
        writable = wanted;
        if (wanted && (refusedComponent || refusedRing)) {
            loop.atEndOfTurn(pump);
        }
    }

    @Override
    void wantDraining(final boolean wanted) {
        if (wanted && !paused) {
            loop.atEndOfTurn(pump);
        }
    }

    @Override
    void endOutput() {
        if (component == null) {
            endsInput = true;
            return;
        }
        guard(() -> component.onInputEnded(view));
    }

    @Override
    void release() {
        if (ring != null) {
            ring.closed();
        }
        loop.atEndOfTurn(pump);
    }

    /** Takes as much of the component's bytes as there is room for, all or none. */
    int offer(final DirectBuffer buffer, final int offset, final int length, final OwnedFd[] descriptors) {
        if (!canSend()) {
            return Channel.CLOSED;
        }
        buffer.boundsCheck(offset, length);
        if (!claim(length)) {
            return Channel.WOULD_BLOCK;
        }
        target.wrap(handler.claimedAddress(), length);
        target.putBytes(0, buffer, offset, length);
        final ControlData control = descriptors.length == 0 ? null : streamCommons.control();
        for (final OwnedFd descriptor : descriptors) {
            control.add(descriptor.release());
        }
        spend(length);
        handler.commit(this, length, control);
        return length;
    }

    boolean canSend() {
        return isOpen() && !hasReadEnded();
    }

    /** There may be messages in the ring. */
    void onRing() {
        if (!isClosed() && !refusedRing) {
            drainRing();
        }
    }

    /** The ring could not wake the loop, which is on its way here anyway. */
    void onRingFromLoop() {
        refusedRing = true;
        loop.atEndOfTurn(pump);
    }

    void resume() {
        paused = false;
        if (!queue.isEmpty()) {
            loop.atEndOfTurn(pump);
        }
    }

    void shutdownOutput() {
        if (canSend()) {
            endOfFile();
        }
    }

    void closeInOrder() {
        if (!isClosed()) {
            endReason(0);
            stopWriting(false);
            end(0);
        }
    }

    /** Counts the descriptors that would go along, which stay the caller's; why they cannot, or null. */
    private String obstacle(final OwnedFd[] descriptors) {
        final ControlData control = streamCommons.control();
        control.clear();
        for (int i = 0; i < descriptors.length; i++) {
            final int fd = descriptors[i].fd();
            for (int j = 0; j < i; j++) {
                if (control.descriptor(j) == fd) {
                    control.clear();
                    return "descriptor " + (i + 1) + " of " + descriptors.length + " is the same as descriptor "
                        + (j + 1) + ", and can be taken over only once";
                }
            }
            control.add(fd);
        }
        final String obstacle = handler.obstacle(control);
        control.clear();
        return obstacle;
    }

    private boolean claim(final int length) {
        if (writable && allows(length)) {
            if (handler.claim(this, length, length) > 0) {
                return true;
            }
            pauseReading();
        }
        return false;
    }

    /** A peer with a window shorter than the message would otherwise never let it through. */
    private boolean allows(final int length) {
        final Credit credit = credit();
        return credit == null || credit.allowance() >= Math.min(length, Math.max(1, credit.initialAllowance() / 2));
    }

    /** Hands bytes to the component: how many it took. */
    private int give(
        final DirectBuffer buffer, final int offset, final int length, final PassedDescriptors descriptors) {
        int taken = length;
        try {
            taken = component.onData(view, buffer, offset, length, descriptors);
            if (taken < 0 || taken > length) {
                throw new IllegalStateException("onData returned " + taken + " for " + length + " bytes");
            }
        } catch (final RuntimeException | Error e) {
            fault(e);
        }
        commons.abandonClaim();
        return taken;
    }

    private void acknowledgeBytes(final int taken) {
        if (taken > 0 && !isClosed()) {
            acknowledge(cost(taken));
        }
    }

    private void guard(final Runnable callback) {
        try {
            callback.run();
        } catch (final RuntimeException | Error e) {
            fault(e);
        }
        commons.abandonClaim();
    }

    /** The component has thrown: ends its channel, and nothing else. */
    private void fault(final Throwable thrown) {
        commons.abandonClaim();
        commons.errorHandler().onError(thrown);
        if (!isClosed()) {
            endReason(Errno.EIO);
            end(Errno.EIO);
        }
    }

    private void pump() {
        if (component == null) {
            if (dropped) {
                closeInOrder();
            }
            return;
        }
        if (endsInput && !isClosed()) {
            endsInput = false;
            endOutput();
        }
        if (!paused && !queue.isEmpty()) {
            giveQueued();
        }
        if (isClosed()) {
            tellEnd();
            return;
        }
        if (writable && refusedRing) {
            refusedRing = false;
            drainRing();
        }
        if (writable && refusedComponent && !refusedRing && canSend()) {
            refusedComponent = false;
            guard(tellWritable);
        }
    }

    private void giveQueued() {
        while (!paused && !queue.isEmpty()) {
            final int length = queue.firstPieceLength();
            final ChannelDelivery descriptors = (ChannelDelivery) queue.firstDelivery();
            if (descriptors != null && !descriptors.isComplete()) {
                return;
            }
            // The component may close the channel, and read on.
            final DirectBuffer buffer = length == 0 ? commons.nothing() : queue.holdFirstChunk();
            final int taken = give(
                buffer, length == 0 ? 0 : queue.firstChunkOffset(), length,
                descriptors == null ? commons.noDescriptors() : descriptors);
            queue.releaseChunk();
            if (isClosed() || isReaderGone()) {
                return;
            }
            if (taken > 0 || length == 0) {
                queue.abandonFirstDelivery();
                taken(taken);
            }
            if (taken < length) {
                paused = true;
            }
        }
        if (queue.isEmpty()) {
            onDrained();
        }
    }

    private void drainRing() {
        if (!ring.drain()) {
            refusedRing = true;
        }
    }

    private void tellWritable() {
        component.onWritable(view);
    }

    private void tellEnd() {
        if (!told) {
            told = true;
            if (connected) {
                commons.call(() -> component.onClosed(view, endReason));
            } else {
                commons.call(() -> component.onConnectFailed(endReason == 0 ? Errno.ECONNABORTED : endReason));
            }
        }
    }

    /** What the component sees. */
    private final class View implements Channel, ChannelClaim.Owner {
        private final Peer peer;

        View(final Peer peer) {
            this.peer = peer;
        }

        @Override
        public int offer(final DirectBuffer buffer, final int offset, final int length) {
            commons.check();
            checkLength(length, 0);
            return length == 0 && canSend() ? 0
                : offered(ChannelStream.this.offer(buffer, offset, length, ChannelRing.NO_DESCRIPTORS));
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
            if (canSend()) {
                final String obstacle = obstacle(descriptors);
                if (obstacle != null) {
                    throw new IllegalArgumentException(obstacle);
                }
            }
            return offered(ChannelStream.this.offer(buffer, offset, length, descriptors));
        }

        @Override
        public int tryClaim(final int length, final ChannelClaim claim) {
            commons.check();
            checkLength(length, 1);
            if (claim.isOpen()) {
                throw new IllegalStateException("this claim of " + claim.length() + " bytes is open elsewhere");
            }
            if (!canSend()) {
                return CLOSED;
            }
            if (!claim(length)) {
                return offered(WOULD_BLOCK);
            }
            claim.wrap(this, handler.claimedAddress(), length);
            commons.beginClaim(claim, handler);
            return length;
        }

        @Override
        public void commit(final ChannelClaim claim, final int length) {
            loop.checkThread();
            commons.endClaim();
            spend(length);
            handler.commit(ChannelStream.this, length, null);
        }

        @Override
        public void abort(final ChannelClaim claim) {
            loop.checkThread();
            commons.endClaim();
            handler.abort();
        }

        @Override
        public int maxLength() {
            return commons.maxLength();
        }

        @Override
        public void pause() {
            commons.check();
            paused = true;
        }

        @Override
        public void resume() {
            commons.check();
            ChannelStream.this.resume();
        }

        @Override
        public boolean isPaused() {
            return paused;
        }

        @Override
        public void shutdownOutput() {
            commons.check();
            if (ring != null && !ring.isEmpty()) {
                ring.shutdownOutput();
            } else {
                ChannelStream.this.shutdownOutput();
            }
        }

        @Override
        public void close() {
            commons.check();
            if (ring != null && !ring.isEmpty() && canSend()) {
                ring.close();
            } else {
                closeInOrder();
            }
        }

        @Override
        public void reset(final int errno) {
            commons.check();
            if (errno <= 0) {
                throw new IllegalArgumentException("errno=" + errno + ", min=1");
            }
            if (!isClosed()) {
                endReason(errno);
                end(errno);
            }
        }

        @Override
        public boolean isOpen() {
            return ChannelStream.this.isOpen();
        }

        @Override
        public Peer peer() {
            return peer;
        }

        @Override
        public ChannelSender sender(final int capacity) {
            commons.check();
            if (ring == null) {
                ring = new ChannelRing(loop, ChannelStream.this, capacity, commons.maxLength());
                if (ChannelStream.this.isClosed()) {
                    ring.closed();
                }
            }
            return ring;
        }

        @Override
        public String toString() {
            return peer.name() + " " + ChannelStream.this;
        }

        private int offered(final int result) {
            refusedComponent |= result == WOULD_BLOCK;
            return result;
        }

        private void checkLength(final int length, final int minimum) {
            if (length < minimum || length > commons.maxLength()) {
                throw new IllegalArgumentException(
                    "length=" + length + ", min=" + minimum + ", max=" + commons.maxLength());
            }
        }
    }
}
