/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.stream;

import io.vsockproxy.channel.Channel;
import io.vsockproxy.channel.ChannelHandler;
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
 * A local end that is a component of this process. What it offers is copied into the session's claim at once, and what
 * arrives is passed to its handler where it lies in the inbound buffer. What the handler does not take is queued.
 *
 * <p>The handler is told at the end of the turn that the channel has ended or that there is room again: when that
 * happens, the session may be in the middle of walking its tables.
 */
public final class ChannelStream extends Stream {
    private static final int[] NO_DESCRIPTORS = {};

    private final ChannelCommons commons;
    private final StreamCommons streamCommons;
    private final ChannelView view;
    private final UnsafeBuffer target = new UnsafeBuffer(0, 0);
    private final EndOfTurnTask pump = new EndOfTurnTask() {
        @Override
        protected void run() {
            pump();
        }
    };
    private final Runnable tellWritable = this::tellWritable;
    /** Null until a component takes the channel. */
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
     * @param peer      the peer at the other end.
     * @param component the channel's handler, which is not called before {@link #connected}. Null for a socket passed
     *                  to another component, which may take it: until then the stream keeps what comes.
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
        this.view = new ChannelView(this, peer, commons);
        paused = component == null;
        socketsAsChannels = paused;
    }

    @Override
    public void start() {
        // There is nothing to watch: the component calls by itself.
    }

    /** The connection is made: tells the component. */
    public void connected() {
        if (!isClosed()) {
            guard(() -> socketsAsChannels = component.socketsAsChannels());
        }
        if (!isClosed()) {
            connected = true;
            guard(() -> component.onConnected(view));
        }
    }

    /** Whether received stream sockets are to become channels too. */
    public boolean socketsAsChannels() {
        return socketsAsChannels;
    }

    /** Throws when called on another thread than the loop's, or while a claim is open. */
    void checkThread() {
        commons.check();
    }

    /** A component has taken the socket that was passed to it. The stream may have ended already. */
    void takenBy(final ChannelHandler newComponent) {
        component = newComponent;
        connected = true;
        paused = false;
        guard(() -> component.onConnected(view));
        loop.atEndOfTurn(pump);
    }

    /** The component that the socket was passed to has not taken it: closes it. */
    void nobodysAnyMore() {
        // Not now: the session may be in the middle of walking its tables.
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

    /** Gives bytes with descriptors to the component. Takes ownership of the descriptors. */
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
    boolean deliversWithoutBytes() {
        return true;
    }

    @Override
    public boolean hasInput() {
        return ring != null && !ring.isEmpty();
    }

    @Override
    void wantReading(final boolean wanted) {
        writable = wanted;
        if (ring != null && !canSend()) {
            ring.outputEnded();
        }
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

    /** Sends all of the component's bytes, or none. Takes ownership of the descriptors if they are sent. */
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

    /** The ring has asked to be drained. */
    void onRing() {
        if (!isClosed() && !refusedRing) {
            drainRing();
        }
    }

    /** The ring could not send a command, but this is the loop's thread: it will be drained at the end of the turn. */
    void onRingFromLoop() {
        refusedRing = true;
        loop.atEndOfTurn(pump);
    }

    void pause() {
        paused = true;
    }

    boolean isPaused() {
        return paused;
    }

    void resume() {
        paused = false;
        if (!queue.isEmpty()) {
            loop.atEndOfTurn(pump);
        }
    }

    /** A message of the component's was refused for want of room: it is told when there is some. */
    void onRefused() {
        refusedComponent = true;
    }

    /** The ring for messages of other threads; null until one is needed. */
    ChannelRing ring() {
        return ring;
    }

    /** The ring, which is made if there is none yet. */
    ChannelRing openRing(final int capacity) {
        if (ring == null) {
            ring = new ChannelRing(loop, this, capacity, commons.maxLength());
            if (!canSend()) {
                ring.outputEnded();
            }
            if (isClosed()) {
                ring.closed();
            }
        }
        return ring;
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

    void reset(final int errno) {
        if (!isClosed()) {
            endReason(errno);
            end(errno);
        }
    }

    /** Why these descriptors cannot be sent, or null. Borrows them. */
    String obstacle(final OwnedFd[] descriptors) {
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

    /** Claims room on the link for a message; false when there is none now, or no credit for it. */
    boolean claim(final int length) {
        if (writable && allows(length)) {
            if (handler.claim(this, length, length) > 0) {
                return true;
            }
            pauseReading();
        }
        return false;
    }

    /** Half of the initial credit suffices: a message longer than the peer's window could otherwise never be sent. */
    private boolean allows(final int length) {
        final Credit credit = credit();
        return credit == null || credit.allowance() >= Math.min(length, Math.max(1, credit.initialAllowance() / 2));
    }

    /** Passes bytes to the component, and returns how many it took. */
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

    /** The component has thrown an exception: ends its channel, and nothing else. */
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
            // Held, because the component may close the channel and still read the bytes.
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
}
