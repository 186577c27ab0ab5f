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
 * <p>Reading never waits for writing, and neither ever blocks. What is committed to {@link #outbound} leaves at the end
 * of the turn in one call, or as soon as {@link #EARLY_FLUSH_LENGTH} bytes have gathered. When writing fails, what the
 * peer sent before it went is still read.
 *
 * <p>Bytes that the handler needs not see, those of a large blob, go through a pipe instead of the inbound buffer: see
 * {@link LinkHandler#spliceableLength}. Descriptors that rode on them, and not on a frame's first byte, are lost. Bytes
 * that need not be seen on their way out can go through another one.
 */
public final class Link implements AutoCloseable {
    /** From this many bytes on there is nothing to gain by gathering more, and the peer could be at work. */
    public static final int EARLY_FLUSH_LENGTH = 64 * 1024;

    private static final long RETRY_NS = TimeUnit.MILLISECONDS.toNanos(10);
    private static final int RECEIVE_FLAGS = Constants.MSG_DONTWAIT | Constants.MSG_CMSG_CLOEXEC;

    private final EventLoop loop;
    private final OwnedFd socket;
    private final boolean carriesDescriptors;
    private final LinkHandler handler;
    private final InboundBuffer inbound;
    private final OutboundRing outbound;
    /** Null where none is wanted, could be had, or is of use. */
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
     * @param carriesDescriptors whether it is AF_UNIX.
     * @param inboundPipe        for blobs that come and need not be read, and then the socket is O_NONBLOCK; or null.
     *                           Takes ownership.
     * @param outboundPipe       the same for those that go.
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

    /** Begins to read. */
    public void start() {
        registration = loop.register(socket.fd(), Constants.EPOLLIN, this::onReady);
    }

    /** Whether descriptors can ride along. */
    public boolean carriesDescriptors() {
        return carriesDescriptors;
    }

    /** How many descriptors it has, besides those on their way. */
    public int descriptorCount() {
        return 1 + (inboundPipe == null ? 0 : SplicePipe.DESCRIPTOR_COUNT)
            + (outboundPipe == null ? 0 : SplicePipe.DESCRIPTOR_COUNT);
    }

    /** Through which bytes come that need not be read; or null. */
    public SplicePipe inboundPipe() {
        return inboundPipe;
    }

    /** Through which bytes go that need not be read, see {@link OutboundRing#claimSpliced}; or null. */
    public SplicePipe outboundPipe() {
        return outboundPipe;
    }

    /** What has come in. */
    public InboundBuffer inbound() {
        return inbound;
    }

    /** What is to go out; call {@link #committed} after each commit. */
    public OutboundRing outbound() {
        return outbound;
    }

    /** Descriptors that have come in and belong to frames not yet read. */
    public ReceivedDescriptors descriptors() {
        return descriptors;
    }

    /** Something was committed to {@link #outbound}. */
    public void committed() {
        if (outbound.pendingBytes() >= EARLY_FLUSH_LENGTH && !isWaitingToWrite()) {
            flush();
        } else {
            loop.atEndOfTurn(flushTask);
        }
    }

    /**
     * Sends a whole frame, or the beginning of one, from elsewhere than {@link #outbound}, if nothing waits there.
     *
     * @return how many bytes have left, maybe 0; the caller commits the rest at once.
     */
    public int sendAtOnce(final long address, final int length) {
        if (!outbound.isEmpty() || writeFailed || closed) {
            return 0;
        }
        return Math.max(0, Syscalls.send(
            socket.fd(), address, length, Constants.MSG_DONTWAIT | Constants.MSG_NOSIGNAL));
    }

    /** Asks for {@link LinkHandler#onRoom} once something of {@link #outbound} has left. */
    public void wantRoom() {
        roomWanted = true;
        loop.atEndOfTurn(flushTask);
    }

    /**
     * Tells the peer, once everything committed has left, that no more will come (shutdown(2)); its answer is to close.
     * What is committed afterwards is lost.
     */
    public void endOutput() {
        outputEnding = true;
        loop.atEndOfTurn(flushTask);
    }

    /** Bytes received so far. */
    public long bytesReceived() {
        return bytesReceived;
    }

    /** Stops reading, so that the kernel's buffer and then the peer's fill up. */
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

    /** Tries once more to send what waits, then closes the socket and every descriptor that was on its way. */
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
                // A header that was read alone; what it is the header of is there too.
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
            onNothingReceived(-Errno.ETOOMANYREFS);
        } else {
            bytesReceived += received;
            inbound.received(received);
            handler.onReceived();
        }
        return received;
    }

    /** Receives into the pipe what may go there; false when that is nothing. */
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
            // There is something: it is the pipe that takes no more, because of the pieces that it came in.
            handler.onPipeFull(inboundPipe);
        } else if (received == -Errno.EINVAL) {
            // A kind of socket that cannot.
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
        } else if (result != -Errno.EAGAIN) {
            registration.cancel();
            handler.onEnded(-result);
        }
    }

    private void closeInboundPipe() {
        if (inboundPipe != null) {
            inboundPipe.close();
            inboundPipe = null;
        }
    }

    private void onFlushed() {
        if (inputEnded) {
            registration.cancel();
            handler.onEnded(writeError);
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
        } else if (result == -Errno.ETOOMANYREFS) {
            // Of this user there are too many descriptors that nobody has received yet; nothing tells when it is fewer.
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
     * What the peer sent before it went is still in the receive queue, and the end after it: reading finds both. If it
     * has not gone, the end is made, or the session would live on without a voice.
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
