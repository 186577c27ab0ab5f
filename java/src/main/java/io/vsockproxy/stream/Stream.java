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
 * One local end of a byte stream or sequence of packets that the session carries. What it has to send goes into the
 * session's claim, and what arrives for it is delivered to it. What it does not take at once is copied into its queue,
 * and delivered when it takes more.
 *
 * <p>Subclasses know what the local end is, a descriptor or a component; they are told when to look for more to send or
 * to deliver. Owns its queue. Never blocks. Confined to the loop's thread.
 */
public abstract class Stream implements AutoCloseable {
    private static final int[] NO_DESCRIPTORS = {};

    /** FINISHING: reads no more, and closes once the queue has been delivered. */
    private enum State { OPEN, FINISHING, CLOSED }

    final EventLoop loop;
    final StreamHandler handler;
    final OutputQueue queue;
    /** Where it waits for room on the link, and its neighbours there: maintained by that list. */
    WaitingStreams waitsIn;
    Stream waitsBehind;
    Stream waitsBefore;
    private final StreamKind kind;
    private final long handle;
    private State state = State.OPEN;
    private long stalledSinceNs;
    /** Null when the other side does not know flow control. */
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

    /** Begins to read, and to watch for the end. */
    public abstract void start();

    /** Reads what is there already, as if the loop had reported it. */
    public void readAtOnce() {
        // Only descriptors can have something to read already.
    }

    /** The number by which both sides know it. */
    public final long handle() {
        return handle;
    }

    /** What kind of local end it is. */
    public final StreamKind kind() {
        return kind;
    }

    /**
     * Received bytes that the application has not taken yet, plus the charges for packets and descriptors among them.
     */
    public final int queueLength() {
        return queue.charge();
    }

    /** Puts the stream under flow control; to be called before {@link #start}. */
    public final void credit(final Credit newCredit) {
        credit = newCredit;
    }

    /** Its flow control, or null. */
    public final Credit credit() {
        return credit;
    }

    /** The other side has granted {@code bytes} of credit: reading may go on. */
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

    /** Stops reading for good, because the application has sent everything; but still watches for its end. */
    public final void stopReading() {
        readEnded = true;
        wantReading(false);
    }

    /** Whether {@link #stopReading} was called. */
    public final boolean hasReadEnded() {
        return readEnded;
    }

    /**
     * The other side's application takes no more: stops reading for good, and makes the application here see an error
     * when it sends.
     *
     * @param shut whether the other side's application has shut down its receiving side, which affects every copy of
     *             the descriptor, rather than closed its own copy.
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

    /**
     * The other side will send no more: once the application here has taken everything, makes it see an end of file.
     */
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

    /**
     * When the application last took something while something was queued, or when the queue began to fill
     * (System.nanoTime()).
     */
    public final long stalledSinceNs() {
        return stalledSinceNs;
    }

    /** Whether it can take descriptors along with bytes. */
    public boolean carriesDescriptors() {
        return false;
    }

    /** Whether bytes may be delivered to it: not after the other side has said that it will send no more. */
    public boolean isWritable() {
        return !isShutDown();
    }

    /** Whether part of a blob may be delivered before the rest has arrived. */
    public final boolean takesParts() {
        return !kind.keepsBoundaries();
    }

    /**
     * Gives bytes to the application, or queues what it does not take.
     *
     * @param buffer      contains the bytes, off-heap; borrowed for this call only.
     * @param descriptors attached to the first byte. Takes ownership.
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
     * Delivers bytes whose descriptors are not all there yet. They wait for those, and so does everything delivered
     * later.
     *
     * @param delivery the descriptors. Takes ownership.
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

    /** Whether the contents of a pipe can be delivered now without being read. */
    public boolean takesSplices() {
        return false;
    }

    /** Delivers the contents of {@code pipe}, and queues what the application does not take. Leaves the pipe empty. */
    public final void deliver(final SplicePipe pipe) {
        if (takesSplices()) {
            deliverNow(pipe);
        }
        while (pipe.length() > 0) {
            final int length = pipe.read();
            deliver(pipe.piece(), 0, length);
        }
    }

    /** Delivers bytes without descriptors. */
    public final void deliver(final DirectBuffer buffer, final int offset, final int length) {
        deliver(buffer, offset, length, NO_DESCRIPTORS);
    }

    /** The session has room again for what is read here. */
    public final void resumeReading() {
        roomless = false;
        updateReading();
    }

    /** Stops reading, and closes once the application has taken everything that was delivered, which may be at once. */
    public final void finish() {
        if (state == State.OPEN) {
            if (isQueueDelivered()) {
                close();
            } else {
                state = State.FINISHING;
                stopWaiting();
                wantReading(false);
                refuseInput();
                wantDraining(true);
            }
        }
    }

    /** Notes why the stream is about to end, as an errno; 0 for an orderly end. The first call counts. */
    public void endReason(final int errno) {
        // A descriptor has no way to pass this on to its application.
    }

    /** Whether it only waits for the application to take what was delivered. */
    public final boolean isFinishing() {
        return state == State.FINISHING;
    }

    /** Whether it has been closed. */
    public final boolean isClosed() {
        return state == State.CLOSED;
    }

    /** Closes the local end, and drops what is queued. Idempotent. */
    @Override
    public void close() {
        if (state != State.CLOSED) {
            state = State.CLOSED;
            stopWaiting();
            queue.close();
            reportCharge();
            release();
        }
    }

    @Override
    public final String toString() {
        return kind + " " + handle;
    }

    /** Whether the application has sent something that has not been read yet. */
    public abstract boolean hasInput();

    /** Ends its input, if it has any, as if the application had just shut down its sending side. */
    public final void endInput() {
        if (!readEnded && kind != StreamKind.PIPE_WRITER) {
            endOfFile();
        }
    }

    /** Starts or stops looking for something to send. */
    abstract void wantReading(boolean wanted);

    /** Starts or stops delivering from the queue. */
    abstract void wantDraining(boolean wanted);

    /**
     * Writes as many of these bytes as the application takes, and queues the rest. Only called while the queue is
     * empty.
     */
    abstract void deliverNow(DirectBuffer buffer, int offset, int length, int[] descriptors);

    /** Moves as many bytes of the pipe as the application takes. Only called while the queue is empty. */
    void deliverNow(final SplicePipe pipe) {
        throw new UnsupportedOperationException();
    }

    /** Makes the application see an end of file. Only called while the queue is empty. */
    abstract void endOutput();

    /**
     * Makes the application see an error when it sends, and drops what it has already sent, unless somebody else who
     * has this end could still read that.
     */
    void refuseInput() {
        // Nothing that an end can do in general.
    }

    /** Makes whoever sends to this end see an error, and anyone else who receives from it an end of file. */
    void shutInput() {
        // Nothing that an end can do in general.
    }

    /** Releases the local end. Called once. */
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

    /**
     * Queues descriptors that came without a byte, to be attached to the next one.
     *
     * @param buffer a valid buffer for no bytes at {@code offset}.
     */
    final void awaitByte(final DirectBuffer buffer, final int offset, final int[] descriptors) {
        startStalling();
        queue.add(buffer, offset, 0, descriptors);
        reportCharge();
    }

    /** The descriptors that a run of the queue waited for are there. */
    final void onDeliverable() {
        if (state != State.CLOSED && !queue.isEmpty()) {
            stalledSinceNs = loop.nowNs();
            wantDraining(true);
        }
    }

    private void startStalling() {
        if (isQueueDelivered()) {
            stalledSinceNs = loop.nowNs();
        }
    }

    final void taken(final int length) {
        stalledSinceNs = loop.nowNs();
        queue.taken(length);
        reportCharge();
        acknowledge(cost(length));
    }

    /**
     * How many bytes may be read now: {@code wanted}, or fewer under flow control. With 0, reading pauses until there
     * is credit.
     */
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

    /** {@code length} bytes have been read and sent, possibly before there was a stream. */
    public final void spend(final int length) {
        if (credit != null) {
            credit.spend(credit.cost(length));
        }
    }

    /** The session has no room for what is read here: reading pauses until {@link #resumeReading}. */
    final void pauseReading() {
        roomless = true;
        wantReading(false);
    }

    /** The application has taken something that costs {@code cost}: see {@link #cost}. */
    final void acknowledge(final long cost) {
        if (credit != null) {
            handler.onTaken(this, cost);
        }
    }

    /** What a message of {@code length} bytes costs, for {@link #acknowledge}. */
    final long cost(final int length) {
        return credit == null ? 0 : credit.cost(length);
    }

    /** The application has ended its sending direction, or both. */
    final void endOfFile() {
        if (state == State.OPEN) {
            handler.onEndOfFile(this);
        } else {
            close();
        }
    }

    /** It reads no more. If the peer does not read either, there may be no room for as long as the session lasts. */
    private void stopWaiting() {
        if (waitsIn != null) {
            waitsIn.remove(this);
        }
    }

    private void updateReading() {
        if (state == State.OPEN && !readEnded && (credit == null || credit.allowance() > 0)) {
            wantReading(true);
        }
    }

    private void shutDownIfDrained() {
        if (shutdownPending && isQueueDelivered()) {
            shutdownPending = false;
            shutDown = true;
            if (!queue.isEmpty()) {
                // Descriptors that no byte will follow any more.
                queue.close();
                reportCharge();
                wantDraining(false);
            }
            endOutput();
        }
    }

    /** The application has closed its end, or the descriptor has failed. */
    final void end(final int errno) {
        if (state == State.OPEN) {
            handler.onEnded(this, errno);
        } else {
            close();
        }
    }

    /**
     * Stops writing, and drops what is queued. What the application has sent is still read.
     *
     * @param shut whether the application still has its end, and has only shut down its receiving side.
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
            handler.onQueueShrunk(shrunk, fewerDescriptors);
        }
    }

    /** Whether descriptors that arrived without bytes can be delivered without any. */
    boolean deliversWithoutBytes() {
        return !takesParts();
    }

    /**
     * Whether the queue is empty, or has only descriptors left that need bytes to go with. Once no more bytes can
     * arrive, the two are equivalent.
     */
    public final boolean isQueueDelivered() {
        return queue.isEmpty() || (!deliversWithoutBytes() && queue.length() == 0);
    }

    /** Whether nothing in the queue has to be delivered any more. */
    final boolean isDrained() {
        return queue.isEmpty() || ((state == State.FINISHING || shutdownPending) && isQueueDelivered());
    }

    /**
     * Does what had to wait until the queue was {@linkplain #isDrained drained}. Returns false if the stream is now
     * closed.
     */
    final boolean onDrained() {
        if (state == State.FINISHING) {
            // Shut down explicitly, because closing makes no end of file while somebody else has the descriptor too.
            shutDownIfDrained();
            close();
            return false;
        }
        wantDraining(false);
        shutDownIfDrained();
        return true;
    }
}
