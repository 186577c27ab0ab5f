/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.stream;

import io.vsockproxy.loop.EventLoop;
import io.vsockproxy.posix.SplicePipe;
import io.vsockproxy.posix.Syscalls;
import org.agrona.DirectBuffer;

/**
 * One local end whose bytes travel: what it has goes into the session's claim, and what arrives for it is given to it.
 * What it does not take at once is copied into its queue, and given to it when it takes more.
 *
 * <p>What the end is, a descriptor or something else, is the subclasses' affair: they are told when to look for more to
 * send or to deliver. Owns its queue. Never blocks.
 */
public abstract class Stream implements AutoCloseable {
    private static final int[] NO_DESCRIPTORS = {};

    /** What remains to be done for it. */
    private enum State { OPEN, FINISHING, CLOSED }

    final EventLoop loop;
    final StreamHandler handler;
    final OutputQueue queue;
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
    private int reportedDescriptors;
    private boolean readerGone;

    Stream(
        final EventLoop loop,
        final StreamKind kind,
        final long handle,
        final ChunkPool pool,
        final StreamHandler handler) {
        this.loop = loop;
        this.kind = kind;
        this.handle = handle;
        this.handler = handler;
        this.queue = new OutputQueue(pool, kind.keepsBoundaries());
    }

    /** Begins to read and to watch for the end. */
    public abstract void start();

    /** Reads what is there already, as if the loop had said so. */
    public void readAtOnce() {
        // Most ends have nothing before they are asked.
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
        return kind == StreamKind.SOCKET_STREAM || kind == StreamKind.SOCKET_SEQPACKET || kind == StreamKind.CHANNEL;
    }

    /** The application will send no more: reads no more, but watches for its end. */
    public final void stopReading() {
        readEnded = true;
        wantReading(false);
    }

    /** Whether {@link #stopReading} was called. */
    public final boolean hasReadEnded() {
        return readEnded;
    }

    /**
     * The other side's application takes no more: reads no more, and has this one see that when it sends.
     *
     * @param shut whether it has shut down its receiving side, which holds for every copy of that, and not closed its
     *             own copy.
     */
    public final void stopSending(final boolean shut) {
        stopReading();
        if (state == State.OPEN) {
            if (shut) {
                shutInput();
            }
            refuseInput();
        }
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

    /** Whether it can take descriptors along with bytes. */
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

    /** Whether bytes that lie in a pipe can be given to it from there, now. */
    public boolean takesSplices() {
        return false;
    }

    /** Gives all that is in {@code pipe} to the application, or queues what it does not take; see takesSplices. */
    public final void deliver(final SplicePipe pipe) {
        if (takesSplices()) {
            deliverNow(pipe);
        }
        while (pipe.length() > 0) {
            final int length = pipe.read();
            deliver(pipe.piece(), 0, length);
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
                wantReading(false);
                refuseInput();
                wantDraining(true);
            }
        }
    }

    /** Why it is about to end, as an errno; 0 for in order. The first counts. */
    public void endReason(final int errno) {
        // A descriptor has no way to tell.
    }

    /** Whether it waits for the application to take what was delivered, and for nothing else. */
    public final boolean isFinishing() {
        return state == State.FINISHING;
    }

    /** Whether it is over. */
    public final boolean isClosed() {
        return state == State.CLOSED;
    }

    /** Closes the local end, and drops what still waits. Idempotent. */
    @Override
    public void close() {
        if (state != State.CLOSED) {
            state = State.CLOSED;
            queue.close();
            reportCharge();
            release();
        }
    }

    @Override
    public final String toString() {
        return kind + " " + handle;
    }

    /** Whether its application has sent something, or ended, that has not been read yet. */
    public abstract boolean hasInput();

    /** Ends its input where it is, if it has any, as if the application had said that there is no more. */
    public final void endInput() {
        if (!readEnded && kind != StreamKind.PIPE_WRITER) {
            endOfFile();
        }
    }

    /** Has it look for something to send from now on, or no more. */
    abstract void wantReading(boolean wanted);

    /** Has it give from the queue as soon as that is taken, or no more. */
    abstract void wantDraining(boolean wanted);

    /** Writes as much of these bytes as is taken and queues the rest; the queue is empty. */
    abstract void deliverNow(DirectBuffer buffer, int offset, int length, int[] descriptors);

    /** Moves as much of the pipe as is taken; the queue is empty. */
    void deliverNow(final SplicePipe pipe) {
        throw new UnsupportedOperationException();
    }

    /** Has the application see an end of file; the queue is empty. */
    abstract void endOutput();

    /**
     * Has the application see an error when it sends, and drops what it has sent, unless others who have this end could
     * still read that.
     */
    void refuseInput() {
        // Nothing that an end can do in general.
    }

    /** Has whoever sends to this end see an error, and whoever else receives from it an end of file. */
    void shutInput() {
        // Nothing that an end can do in general.
    }

    /** Lets go of the local end; called once. */
    abstract void release();

    final void enqueue(final DirectBuffer buffer, final int offset, final int length, final int[] descriptors) {
        startStalling();
        if (credit != null) {
            credit.readerFellBehind();
        }
        wantDraining(true);
        queue.add(buffer, offset, length, descriptors);
        reportCharge();
    }

    /** The descriptors that the first bytes of the queue waited for are there. */
    final void onDeliverable() {
        if (state != State.CLOSED && !queue.isEmpty()) {
            stalledSinceNs = loop.nowNs();
            wantDraining(true);
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
            wantReading(false);
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
        wantReading(false);
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
            wantReading(true);
        }
    }

    private void shutDownIfDrained() {
        if (shutdownPending && queue.isEmpty()) {
            shutdownPending = false;
            shutDown = true;
            endOutput();
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

    /**
     * Writes no more, and drops what waits; what the application has left to be read still is.
     *
     * @param shut whether it is there, and has shut down its receiving side.
     */
    final void stopWriting(final boolean shut) {
        if (!readerGone) {
            readerGone = true;
            queue.close();
            reportCharge();
            wantDraining(false);
            handler.onReaderGone(this, shut);
        }
    }

    final boolean isReaderGone() {
        return readerGone;
    }

    final boolean isOpen() {
        return state == State.OPEN;
    }

    static void closeAll(final int[] descriptors) {
        for (final int descriptor : descriptors) {
            Syscalls.close(descriptor);
        }
    }

    private void reportCharge() {
        final int shrunk = reportedCharge - queue.charge();
        if (shrunk != 0) {
            final int fewerDescriptors = reportedDescriptors - queue.descriptorCount();
            reportedCharge -= shrunk;
            reportedDescriptors -= fewerDescriptors;
            handler.onQueueShrunk(this, shrunk, fewerDescriptors);
        }
    }

    /** The queue has become empty: does what had to wait for that. False when the stream is over then. */
    final boolean onDrained() {
        if (state == State.FINISHING) {
            // Whoever else has the descriptor keeps it open: the end of file is not left to the close.
            shutDownIfDrained();
            close();
            return false;
        }
        wantDraining(false);
        shutDownIfDrained();
        return true;
    }
}
