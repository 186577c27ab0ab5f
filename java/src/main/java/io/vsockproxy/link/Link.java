/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.link;

import io.vsockproxy.loop.EndOfTurnTask;
import io.vsockproxy.loop.EventLoop;
import io.vsockproxy.loop.Registration;
import io.vsockproxy.loop.Timer;
import io.vsockproxy.posix.Constants;
import io.vsockproxy.posix.ControlData;
import io.vsockproxy.posix.Errno;
import io.vsockproxy.posix.Memory;
import io.vsockproxy.posix.OwnedFd;
import io.vsockproxy.posix.SplicePipe;
import io.vsockproxy.posix.Syscalls;
import java.util.concurrent.TimeUnit;

/**
 * One connected AF_VSOCK or AF_UNIX stream to the other side.
 *
 * <p>Reading never waits for writing, and neither ever blocks. What is committed to {@link #outbound} is sent in one
 * call at the end of the turn, or as soon as {@link #EARLY_FLUSH_LENGTH} bytes have gathered. When writing fails, what
 * the peer has sent before is still read. Confined to the loop's thread.
 *
 * <p>Bytes that the handler need not see, those of a large blob, go through a pipe instead of the inbound buffer: see
 * {@link LinkHandler#spliceableLength}. Descriptors attached to such bytes, instead of to a frame's first byte, are
 * lost. Outgoing bytes that need not be seen can go through another pipe.
 */
public final class Link implements AutoCloseable {
    /** With this many bytes, gathering more saves nothing, and the peer could already be working on them. */
    public static final int EARLY_FLUSH_LENGTH = 64 * 1024;

    private static final long RETRY_NS = TimeUnit.MILLISECONDS.toNanos(10);
    private static final int RECEIVE_FLAGS = Constants.MSG_DONTWAIT | Constants.MSG_CMSG_CLOEXEC;

    private final EventLoop loop;
    private final OwnedFd socket;
    private final boolean carriesDescriptors;
    private final LinkHandler handler;
    private final InboundBuffer inbound;
    private final OutboundRing outbound;
    /** Null when none is wanted, none could be opened, or this kind of socket cannot use one. */
    private SplicePipe inboundPipe;
    private final SplicePipe outboundPipe;
    private final ReceivedDescriptors descriptors = new ReceivedDescriptors();
    private final Memory controlMemory = Memory.allocate(ControlData.LENGTH);
    private final ControlData control = new ControlData(controlMemory, 0);
    private final EndOfTurnTask flushTask = new EndOfTurnTask() {
        @Override
        protected void run() {
            flush();
        }
    };
    private final Timer retry = new Timer(this::flush);
    private Registration registration;
    private long bytesReceived;
    private boolean roomWanted;
    private boolean writeFailed;
    private int writeError;
    private boolean inputEnded;
    private boolean outputEnding;
    private boolean closed;

    /**
     * @param socket             a connected stream socket. Takes ownership.
     * @param carriesDescriptors whether descriptors can be attached: it is AF_UNIX.
     * @param inboundPipe        for incoming blobs that need not be read, or null. With one, the socket must be
     *                           O_NONBLOCK. Takes ownership.
     * @param outboundPipe       the same for outgoing blobs.
     */
    public Link(
        final EventLoop loop,
        final OwnedFd socket,
        final boolean carriesDescriptors,
        final InboundBuffer inbound,
        final OutboundRing outbound,
        final SplicePipe inboundPipe,
        final SplicePipe outboundPipe,
        final LinkHandler handler) {
        this.loop = loop;
        this.socket = socket;
        this.carriesDescriptors = carriesDescriptors;
        this.inbound = inbound;
        this.outbound = outbound;
        this.inboundPipe = inboundPipe;
        this.outboundPipe = outboundPipe;
        this.handler = handler;
    }

    /**
     * Begins to read.
     *
     * @throws io.vsockproxy.posix.PosixException when epoll cannot watch the socket (ENOSPC).
     */
    public void start() {
        registration = loop.register(socket.fd(), Constants.EPOLLIN, this::onReady);
    }

    /** Whether descriptors can be attached to frames. */
    public boolean carriesDescriptors() {
        return carriesDescriptors;
    }

    /** How many descriptors it holds open, not counting those in transit. */
    public int descriptorCount() {
        return 1 + (inboundPipe == null ? 0 : SplicePipe.DESCRIPTOR_COUNT)
            + (outboundPipe == null ? 0 : SplicePipe.DESCRIPTOR_COUNT);
    }

    /** The pipe for incoming bytes that need not be read, or null. */
    public SplicePipe inboundPipe() {
        return inboundPipe;
    }

    /** The pipe for outgoing bytes that need not be read (see {@link OutboundRing#claimSpliced}), or null. */
    public SplicePipe outboundPipe() {
        return outboundPipe;
    }

    /** Bytes that have been received. */
    public InboundBuffer inbound() {
        return inbound;
    }

    /** Bytes to be sent. Call {@link #committed} after each commit. */
    public OutboundRing outbound() {
        return outbound;
    }

    /** Descriptors that have been received and belong to frames not yet read. */
    public ReceivedDescriptors descriptors() {
        return descriptors;
    }

    /** To be called after each commit to {@link #outbound}. */
    public void committed() {
        if (outbound.pendingBytes() >= EARLY_FLUSH_LENGTH && !isWaitingToWrite()) {
            flush();
        } else {
            loop.atEndOfTurn(flushTask);
        }
    }

    /**
     * Sends a whole frame, or the beginning of one, that does not lie in {@link #outbound}, if nothing waits there.
     *
     * @return how many bytes have been sent, possibly 0; the caller must commit the rest at once.
     */
    public int sendAtOnce(final long address, final int length) {
        if (!outbound.isEmpty() || writeFailed || closed) {
            return 0;
        }
        return Math.max(0, Syscalls.send(
            socket.fd(), address, length, Constants.MSG_DONTWAIT | Constants.MSG_NOSIGNAL));
    }

    /** Asks for a call of {@link LinkHandler#onRoom} once there is room in {@link #outbound} again. */
    public void wantRoom() {
        roomWanted = true;
        loop.atEndOfTurn(flushTask);
    }

    /**
     * Once everything committed has been sent, tells the peer that no more will come (shutdown(2)); the peer then
     * closes the connection. What is committed after that is lost.
     */
    public void endOutput() {
        outputEnding = true;
        loop.atEndOfTurn(flushTask);
    }

    /** Bytes received so far. */
    public long bytesReceived() {
        return bytesReceived;
    }

    /** Stops reading, so that first this kernel's buffer and then the peer's ring fill up. */
    public void pauseReading() {
        if (registration != null) {
            registration.disable(Constants.EPOLLIN);
        }
    }

    /** Reads again. */
    public void resumeReading() {
        registration.enable(Constants.EPOLLIN);
    }

    /** Whether {@link #close} was called. */
    public boolean isClosed() {
        return closed;
    }

    /** Tries once more to send what waits, then closes the socket and every descriptor in transit. Idempotent. */
    @Override
    public void close() {
        if (!closed) {
            if (!writeFailed) {
                outbound.flush(socket.fd());
            }
            closed = true;
            loop.cancel(retry);
            if (registration != null) {
                registration.cancel();
            }
            socket.close();
            closeInboundPipe();
            descriptors.close();
            outbound.close();
            if (outboundPipe != null) {
                outboundPipe.close();
            }
            inbound.close();
            controlMemory.close();
        }
    }

    private boolean isWaitingToWrite() {
        return (registration.interest() & Constants.EPOLLOUT) != 0;
    }

    private void onReady(final int events) {
        if ((events & Constants.EPOLLOUT) != 0) {
            flush();
        }
        final boolean reads = (registration.interest() & Constants.EPOLLIN) != 0;
        if (reads && (events & (Constants.EPOLLIN | Constants.EPOLLHUP | Constants.EPOLLERR)) != 0 && !closed) {
            receive();
        }
    }

    private void receive() {
        if (!splice(true)) {
            final int room = inbound.room();
            if (room == 0) {
                throw new IllegalStateException("inbound buffer full, available=" + inbound.available());
            }
            final int length = inboundPipe == null ? room : Math.min(room, handler.receiveLength());
            if (read(length) == length && length < room && !closed) {
                // Only a header was read, and what follows it is there too.
                splice(false);
            }
        }
    }

    private int read(final int length) {
        final int received = carriesDescriptors
            ? Syscalls.recvmsg(socket.fd(), inbound.receiveAddress(), length, RECEIVE_FLAGS, control.address())
            : Syscalls.recv(socket.fd(), inbound.receiveAddress(), length, RECEIVE_FLAGS);
        if (received <= 0) {
            onNothingReceived(received);
        } else if (carriesDescriptors && (control.count() > 0 || control.isTruncated()) && !descriptors.add(control)) {
            end(Errno.ETOOMANYREFS);
        } else {
            bytesReceived += received;
            inbound.received(received);
            handler.onReceived();
        }
        return received;
    }

    /** Receives what may go through the pipe into it; returns false when nothing may. */
    private boolean splice(final boolean ready) {
        final int length = inboundPipe == null ? 0 : handler.spliceableLength();
        if (length == 0) {
            return false;
        }
        final int received = inboundPipe.fill(socket.fd(), length);
        if (received > 0) {
            bytesReceived += received;
            handler.onSpliced(inboundPipe, received);
        } else if (ready && received == -Errno.EAGAIN && inboundPipe.length() > 0) {
            // The socket is readable, so it is the pipe that is full: every piece takes a slot, however small.
            handler.onPipeFull(inboundPipe);
        } else if (received == -Errno.EINVAL) {
            // This kind of socket cannot be spliced.
            if (inboundPipe.length() > 0) {
                handler.onPipeFull(inboundPipe);
            }
            closeInboundPipe();
            return false;
        } else {
            onNothingReceived(received);
        }
        return true;
    }

    private void onNothingReceived(final int result) {
        if (result == 0) {
            inputEnded = true;
            registration.disable(Constants.EPOLLIN);
            handler.onInputEnded();
            flush();
        } else if (result != -Errno.EAGAIN && !Errno.isShortage(-result)) {
            end(-result);
        }
    }

    private void end(final int errno) {
        registration.cancel();
        handler.onEnded(errno);
    }

    private void closeInboundPipe() {
        if (inboundPipe != null) {
            inboundPipe.close();
            inboundPipe = null;
        }
    }

    private void onFlushed() {
        if (inputEnded) {
            end(writeError);
        } else if (outputEnding) {
            outputEnding = false;
            Syscalls.shutdown(socket.fd(), Constants.SHUT_WR);
        }
    }

    private void flush() {
        if (closed || !registration.isActive()) {
            return;
        }
        final int result = writeFailed ? discard() : outbound.flush(socket.fd());
        if (result == -Errno.EAGAIN) {
            registration.enable(Constants.EPOLLOUT);
        } else if (Errno.isShortage(-result)) {
            registration.disable(Constants.EPOLLOUT);
            loop.schedule(retry, RETRY_NS);
        } else if (result < 0) {
            failWriting(-result);
        } else {
            registration.disable(Constants.EPOLLOUT);
        }
        if (outbound.isEmpty() && (inputEnded || outputEnding)) {
            onFlushed();
            return;
        }
        if (roomWanted && outbound.hasDataRoom()) {
            roomWanted = false;
            handler.onRoom();
        }
    }

    /**
     * Gives up writing, but not reading: what the peer sent before it closed is still in the receive queue, and then
     * the end of the stream. If the peer has not closed (another error), the socket is shut down, or the session would
     * live on without being able to send.
     */
    private void failWriting(final int errno) {
        writeFailed = true;
        discard();
        if (errno != Errno.EPIPE && errno != Errno.ECONNRESET) {
            writeError = errno;
            Syscalls.shutdown(socket.fd(), Constants.SHUT_RDWR);
        }
    }

    private int discard() {
        outbound.discard();
        registration.disable(Constants.EPOLLOUT);
        return 0;
    }
}
