/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.stream;

import io.vsockproxy.loop.EventLoop;
import io.vsockproxy.loop.Registration;
import io.vsockproxy.posix.Constants;
import io.vsockproxy.posix.Errno;
import io.vsockproxy.posix.OwnedFd;
import io.vsockproxy.posix.Syscalls;
import org.agrona.DirectBuffer;

/**
 * One local descriptor whose bytes travel: read into the session's claim when readable, written when something arrives
 * for it. What it does not take at once is copied into its queue and written when it becomes writable.
 *
 * <p>Owns its descriptor and its queue. Never blocks and never changes the descriptor's O_NONBLOCK flag, which an
 * application may share.
 */
public abstract class Stream implements AutoCloseable {
    private static final int[] NO_DESCRIPTORS = {};

    /** What remains to be done for it. */
    private enum State { OPEN, FINISHING, CLOSED }

    final EventLoop loop;
    final StreamHandler handler;
    final OutputQueue queue;
    OwnedFd descriptor;
    Registration registration;
    private final StreamKind kind;
    private final long handle;
    private State state = State.OPEN;
    private long stalledSinceNs;
    /** Null where the other side knows no flow control. */
    private Credit credit;
    private boolean roomless;
    private boolean readEnded;
    private boolean shutdownPending;
    private boolean shutDown;
    private int reportedCharge;
    private boolean readerGone;

    Stream(
        final EventLoop loop,
        final StreamKind kind,
        final long handle,
        final OwnedFd descriptor,
        final ChunkPool pool,
        final StreamHandler handler) {
        this.loop = loop;
        this.kind = kind;
        this.handle = handle;
        this.descriptor = descriptor;
        this.handler = handler;
        this.queue = new OutputQueue(pool, kind.keepsBoundaries());
    }

    /** Begins to read and to watch for the end. */
    public void start() {
        registration = loop.register(descriptor.fd(), readInterest(), this::onReady);
    }

    /** The name by which both sides know it. */
    public final long handle() {
        return handle;
    }

    /** What it is. */
    public final StreamKind kind() {
        return kind;
    }

    /** Bytes received for it that the application has not taken yet, with the charges for what comes with them. */
    public final int queueLength() {
        return queue.charge();
    }

    /** Puts the stream under flow control; before {@link #start}. */
    public final void credit(final Credit newCredit) {
        credit = newCredit;
    }

    /** Its flow control, or null. */
    public final Credit credit() {
        return credit;
    }

    /** The other side's reader has taken {@code bytes}: so much more may be read here. */
    public final void allow(final long bytes) {
        credit.allow(bytes);
        if (!roomless) {
            updateReading();
        }
    }

    /** Whether one direction can end before the other. */
    public final boolean canHalfClose() {
        return kind == StreamKind.SOCKET_STREAM || kind == StreamKind.SOCKET_SEQPACKET;
    }

    /** The application will send no more: reads no more, but watches for its end. */
    public final void stopReading() {
        readEnded = true;
        registration.disable(readInterest());
    }

    /** Whether {@link #stopReading} was called. */
    public final boolean hasReadEnded() {
        return readEnded;
    }

    /** The other side will send no more: has the application see an end of file once it has taken everything. */
    public final void shutDownAfterQueue() {
        if (state == State.OPEN && !shutDown) {
            shutdownPending = true;
            shutDownIfDrained();
        }
    }

    /** Whether {@link #shutDownAfterQueue} was called. */
    public final boolean isShutDown() {
        return shutdownPending || shutDown;
    }

    /** When its application last took anything while something waited, as System.nanoTime(). */
    public final long stalledSinceNs() {
        return stalledSinceNs;
    }

    /** Whether the descriptor can take descriptors along with bytes. */
    public boolean carriesDescriptors() {
        return false;
    }

    /** Whether bytes may be delivered to it. */
    public boolean isWritable() {
        return true;
    }

    /** Whether a part of a blob may be delivered before the rest has come. */
    public final boolean takesParts() {
        return !kind.keepsBoundaries();
    }

    /**
     * Gives bytes to the application, or queues what it does not take.
     *
     * @param buffer      off-heap; read before this returns.
     * @param descriptors go with the first byte. Takes ownership.
     */
    public final void deliver(
        final DirectBuffer buffer, final int offset, final int length, final int[] descriptors) {
        if (state != State.OPEN || readerGone) {
            closeAll(descriptors);
        } else if (queue.isEmpty()) {
            deliverNow(buffer, offset, length, descriptors);
        } else {
            enqueue(buffer, offset, length, descriptors);
        }
    }

    /**
     * Gives bytes whose descriptors are not all there yet; what comes later waits with them.
     *
     * @param delivery takes ownership.
     */
    public final void deliver(
        final DirectBuffer buffer, final int offset, final int length, final Delivery delivery) {
        if (state == State.OPEN && !readerGone) {
            startStalling();
            delivery.queuedBy(this);
            queue.add(buffer, offset, length, delivery);
            reportCharge();
            if (delivery.isComplete()) {
                onDeliverable();
            }
        } else {
            delivery.abandon();
        }
    }

    /** Gives bytes without descriptors. */
    public final void deliver(final DirectBuffer buffer, final int offset, final int length) {
        deliver(buffer, offset, length, NO_DESCRIPTORS);
    }

    /** There is room again for what can be read. */
    public final void resumeReading() {
        roomless = false;
        updateReading();
    }

    /** Reads no more, and closes once everything delivered has been taken; at once if it has been. */
    public final void finish() {
        if (state == State.OPEN) {
            if (queue.isEmpty() || (takesParts() && queue.length() == 0)) {
                close();
            } else {
                state = State.FINISHING;
                registration.interest(Constants.EPOLLOUT);
            }
        }
    }

    /** Whether it waits for the application to take what was delivered, and for nothing else. */
    public final boolean isFinishing() {
        return state == State.FINISHING;
    }

    /** Whether its descriptor is closed. */
    public final boolean isClosed() {
        return state == State.CLOSED;
    }

    /** Closes the descriptor, and drops what still waits. Idempotent. */
    @Override
    public void close() {
        if (state != State.CLOSED) {
            state = State.CLOSED;
            if (registration != null) {
                registration.cancel();
            }
            queue.close();
            reportCharge();
            descriptor.close();
        }
    }

    @Override
    public final String toString() {
        return kind + " " + handle;
    }

    /** The events that mean something can be read, or 0 for one that is only written. */
    abstract int readInterest();

    /** Reads once. */
    abstract void read(int events);

    /** Writes as much of these bytes as is taken and queues the rest; the queue is empty. */
    abstract void deliverNow(DirectBuffer buffer, int offset, int length, int[] descriptors);

    /** Writes from the queue until it is empty or no more is taken. False when the stream has ended instead. */
    abstract boolean drain();

    final void enqueue(final DirectBuffer buffer, final int offset, final int length, final int[] descriptors) {
        startStalling();
        if (credit != null) {
            credit.readerFellBehind();
        }
        registration.enable(Constants.EPOLLOUT);
        queue.add(buffer, offset, length, descriptors);
        reportCharge();
    }

    /** The descriptors that the first bytes of the queue waited for are there. */
    final void onDeliverable() {
        if (state != State.CLOSED && !queue.isEmpty()) {
            stalledSinceNs = loop.nowNs();
            registration.enable(Constants.EPOLLOUT);
        }
    }

    private void startStalling() {
        if (queue.isEmpty()) {
            stalledSinceNs = loop.nowNs();
        }
    }

    final void taken(final int length) {
        stalledSinceNs = loop.nowNs();
        queue.taken(length);
        reportCharge();
        acknowledge(cost(length));
    }

    /** How much may be read now: {@code wanted}, or what flow control lets through. 0 pauses. */
    final int allowed(final int wanted) {
        if (credit == null) {
            return wanted;
        }
        final int allowance = (int) Math.max(0, Math.min(wanted, credit.allowance()));
        if (allowance == 0) {
            registration.disable(readInterest());
        }
        return allowance;
    }

    /** {@code length} bytes have been read and sent. */
    final void spend(final int length) {
        if (credit != null) {
            credit.spend(credit.cost(length));
        }
    }

    /** No room for what can be read: stops until {@link #resumeReading}. */
    final void pauseReading() {
        roomless = true;
        registration.disable(readInterest());
    }

    /** The application has taken {@code length} bytes, or a packet or the rest of one. */
    final void acknowledge(final long cost) {
        if (credit != null) {
            handler.onTaken(this, cost);
        }
    }

    /** What a message of {@code length} bytes counts for in {@link #acknowledge}. */
    final long cost(final int length) {
        return credit == null ? 0 : credit.cost(length);
    }

    /** The end of file: of one direction, or of both. */
    final void endOfFile() {
        if (state == State.OPEN) {
            handler.onEndOfFile(this);
        } else {
            close();
        }
    }

    private void updateReading() {
        if (state == State.OPEN && !readEnded && (credit == null || credit.allowance() > 0)) {
            registration.enable(readInterest());
        }
    }

    private void shutDownIfDrained() {
        if (shutdownPending && queue.isEmpty()) {
            shutdownPending = false;
            shutDown = true;
            Syscalls.shutdown(descriptor.fd(), Constants.SHUT_WR);
        }
    }

    /** The end, from the application's side. */
    final void end(final int errno) {
        if (state == State.OPEN) {
            handler.onEnded(this, errno);
        } else {
            close();
        }
    }

    /** Writes no more, and drops what waits; what the application has left to be read still is. */
    final void stopWriting() {
        readerGone = true;
        queue.close();
        reportCharge();
        registration.disable(Constants.EPOLLOUT);
    }

    final boolean isOpen() {
        return state == State.OPEN;
    }

    final void onReady(final int events) {
        try {
            dispatch(events);
        } catch (final RuntimeException e) {
            // A fault of ours; without this, readiness that nobody deals with would come back for ever.
            end(Errno.EIO);
            throw e;
        }
    }

    private void dispatch(final int events) {
        if ((events & Constants.EPOLLOUT) != 0 && !queue.isEmpty() && !drainQueue()) {
            return;
        }
        if (readEnded && (events & (Constants.EPOLLHUP | Constants.EPOLLERR)) != 0) {
            // Both directions are over: the application has closed its end.
            end(0);
            return;
        }
        final int wanted = registration.interest() & readInterest();
        if (wanted != 0 && (events & (wanted | Constants.EPOLLHUP | Constants.EPOLLERR)) != 0) {
            read(events);
        } else if ((events & Constants.EPOLLERR) != 0 && readInterest() == 0) {
            onReaderGone();
        }
    }

    /** A write end's readers are gone. */
    void onReaderGone() {
        close();
    }

    static void closeAll(final int[] descriptors) {
        for (final int descriptor : descriptors) {
            Syscalls.close(descriptor);
        }
    }

    private void reportCharge() {
        final int shrunk = reportedCharge - queue.charge();
        if (shrunk != 0) {
            reportedCharge -= shrunk;
            handler.onQueueShrunk(this, shrunk);
        }
    }

    private boolean drainQueue() {
        if (!drain()) {
            return false;
        }
        if (!queue.isEmpty() && !queue.isFirstReady()) {
            registration.disable(Constants.EPOLLOUT);
        } else if (queue.isEmpty()) {
            if (state == State.FINISHING) {
                close();
                return false;
            }
            registration.disable(Constants.EPOLLOUT);
            shutDownIfDrained();
        }
        return true;
    }
}
