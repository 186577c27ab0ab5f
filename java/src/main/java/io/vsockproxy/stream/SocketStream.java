/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.stream;

import io.vsockproxy.loop.EventLoop;
import io.vsockproxy.posix.Constants;
import io.vsockproxy.posix.ControlData;
import io.vsockproxy.posix.Errno;
import io.vsockproxy.posix.IoVec;
import io.vsockproxy.posix.OwnedFd;
import io.vsockproxy.posix.SocketOptions;
import io.vsockproxy.posix.SplicePipe;
import io.vsockproxy.posix.StatusFlags;
import io.vsockproxy.posix.Syscalls;
import org.agrona.DirectBuffer;

/**
 * A connected socket: stream, datagram or seqpacket, of the unix family or another.
 *
 * <p>Every call uses MSG_DONTWAIT, because O_NONBLOCK would be set for the application's copy of the descriptor too.
 * Only splice(2) needs that flag, and is used only when nobody else has the descriptor.
 */
public final class SocketStream extends DescriptorStream {
    private static final int[] NO_DESCRIPTORS = {};
    private static final int RECEIVE_FLAGS = Constants.MSG_DONTWAIT | Constants.MSG_CMSG_CLOEXEC;
    private static final int SEND_FLAGS = Constants.MSG_DONTWAIT | Constants.MSG_NOSIGNAL;
    /** In bytes: two reads of the usual length, and the kernel's overhead. */
    private static final int SEND_BUFFER_LENGTH = 416 * 1024;
    private static final int PEEK_LENGTH_FLAGS = Constants.MSG_DONTWAIT | Constants.MSG_PEEK | Constants.MSG_TRUNC;

    /** More than the kernel queues by default (net.unix.max_dgram_qlen, 10). */
    private static final int MAX_DATAGRAMS_FIRST = 32;

    /**
     * In bytes. Moving fewer takes as long as copying them; and the pieces of one large write, after the first, are
     * this long.
     */
    private static final int MIN_SPLICE_LENGTH = 24 * 1024;
    /** How many reads to wait before trying again whether an application writes in large pieces. */
    private static final int SMALL_PIECES_READS = 64;

    private final Origin origin;
    private final boolean packets;
    private final int readLength;
    private int lastReadLength;
    private int readsUntilSplice;
    private boolean widened;
    private boolean nonBlocking;
    private boolean heldUp;
    /** The other end was closed with something unread: the kernel has reported ECONNRESET, which it does only once. */
    private boolean reset;
    private boolean hungUp;
    /** A second read in the same turn is under way: see {@link #readOn}. */
    private boolean readingOn;
    /**
     * When both directions had ended, that was because the application had shut down the remaining one, not closed its
     * end.
     */
    private boolean shutByApplication;

    /**
     * @param descriptor a connected socket. Takes ownership.
     * @param origin     where the descriptor comes from.
     * @param readLength the most bytes to read at once from a stream socket.
     */
    public SocketStream(
        final EventLoop loop,
        final StreamKind kind,
        final long handle,
        final OwnedFd descriptor,
        final Origin origin,
        final int readLength,
        final StreamCommons commons,
        final StreamHandler handler) {
        super(loop, kind, handle, descriptor, commons, handler);
        this.origin = origin;
        this.packets = kind.keepsBoundaries();
        this.readLength = readLength;
        this.nonBlocking = origin == Origin.PROXY;
    }

    @Override
    public boolean carriesDescriptors() {
        return origin.isUnixFamily();
    }

    @Override
    public void start() {
        super.start();
        if (origin == Origin.STAND_IN) {
            commons.lateCloses().closeAbandoned();
        }
        if (kind() == StreamKind.SOCKET_DGRAM && origin.isUnixFamily()) {
            commons.datagramWatch().add(this);
        }
    }

    @Override
    int readInterest() {
        return kind() == StreamKind.SOCKET_SEQPACKET ? Constants.EPOLLIN | Constants.EPOLLRDHUP : Constants.EPOLLIN;
    }

    @Override
    void read(final int events) {
        if (lastReadLength >= MIN_SPLICE_LENGTH && splice()) {
            return;
        }
        int minimum = Math.min(readLength, StreamCommons.MIN_READ_LENGTH);
        int maximum = readLength;
        if (packets) {
            // The kernel truncates a packet that does not fit, so its length is asked for first.
            final int length = Syscalls.recv(descriptor.fd(), commons.peekAddress(), 0, PEEK_LENGTH_FLAGS);
            if (length < 0) {
                onReadFailed(-length);
                return;
            }
            minimum = Math.max(1, length);
            maximum = minimum;
            if (length > commons.maxPacketLength()) {
                end(Errno.EMSGSIZE);
                return;
            }
        }
        final int allowed = allowed(maximum);
        if (allowed == 0) {
            return;
        }
        if (!packets) {
            maximum = allowed;
            minimum = Math.min(minimum, maximum);
        }
        final int room = handler.claim(this, minimum, maximum);
        if (room == 0) {
            pauseReading();
            return;
        }
        final ControlData control = commons.control();
        final int received = Syscalls.recvmsg(
            descriptor.fd(), handler.claimedAddress(), room, RECEIVE_FLAGS, control.address());
        if (received < 0) {
            handler.abort();
            onReadFailed(-received);
        } else if (control.isTruncated()) {
            // Out of descriptors: some are lost, so what the application has sent cannot be passed on correctly.
            handler.abort();
            control.closeAll();
            end(Errno.EMFILE);
        } else if (received == 0 && control.count() == 0 && isEndOfFile(events)) {
            handler.abort();
            if ((events & Constants.EPOLLHUP) != 0 && !shutByApplication) {
                end(reset ? Errno.ECONNRESET : 0);
            } else {
                endOfFile();
            }
        } else {
            if (control.count() > 0) {
                commons.lateCloses().onReceived();
            }
            spend(received);
            lastReadLength = received;
            handler.commit(this, received, control.count() == 0 ? null : control);
            if ((events & Constants.EPOLLHUP) != 0) {
                readOn(events);
            }
        }
    }

    /**
     * Moves what waits to the other side without reading it, if it is long enough and carries no descriptors, which
     * would be lost. Returns false if it has to be read instead.
     */
    private boolean splice() {
        if (packets || origin.isShared() || !handler.takesSplices()) {
            return false;
        }
        if (readsUntilSplice > 0) {
            readsUntilSplice--;
            return false;
        }
        final int fd = descriptor.fd();
        // In this order: what is queued after the first call may carry descriptors.
        final int length = Math.min(commons.unreadBytes(fd), readLength);
        if (length < MIN_SPLICE_LENGTH) {
            return false;
        }
        if (!commons.receiveQueues().hasNoDescriptors(fd)) {
            readsUntilSplice = SMALL_PIECES_READS;
            return false;
        }
        final int allowed = allowed(length);
        if (allowed == 0) {
            return true;
        }
        final SplicePipe pipe = handler.claimPipe(this, allowed);
        if (pipe == null) {
            pauseReading();
            return true;
        }
        makeNonBlocking();
        final int moved = pipe.fill(fd, allowed);
        if (moved < allowed) {
            readsUntilSplice = SMALL_PIECES_READS;
        }
        if (moved <= 0) {
            handler.commitPipe(this, 0);
            return false;
        }
        spend(moved);
        lastReadLength = moved;
        handler.commitPipe(this, moved);
        return true;
    }

    private void makeNonBlocking() {
        if (!nonBlocking) {
            nonBlocking = true;
            StatusFlags.setNonBlocking(descriptor.fd());
        }
    }

    /** The other end is closed, so the end of file is most likely next. If read now, it is sent in the same call. */
    private void readOn(final int events) {
        if (!packets && !readingOn && isOpen() && (registration.interest() & Constants.EPOLLIN) != 0) {
            readingOn = true;
            read(events);
            readingOn = false;
        }
    }

    @Override
    void deliverNow(final DirectBuffer buffer, final int offset, final int length, final int[] descriptors) {
        readDatagrams();
        if (isClosed()) {
            closeAll(descriptors);
            return;
        }
        if (length == 0 && !packets) {
            // On a stream socket, sendmsg with no bytes silently drops the descriptors.
            if (descriptors.length > 0) {
                awaitByte(buffer, offset, descriptors);
            }
            return;
        }
        final long address = buffer.addressOffset() + offset;
        int sent = descriptors.length == 0
            ? Syscalls.send(descriptor.fd(), address, length, SEND_FLAGS)
            : commons.send(descriptor.fd(), address, length, SEND_FLAGS, descriptors);
        if (sent < 0) {
            IoVec.set(commons.pieces(), 0, address, length);
            sent = sendAgain(sent, 1, length, descriptors);
        }
        if (sent == length) {
            closeAll(descriptors);
            acknowledge(cost(length));
        } else if (sent >= 0) {
            closeAll(descriptors);
            acknowledge(sent);
            widenSendBuffer();
            enqueue(buffer, offset + sent, length - sent, NO_DESCRIPTORS);
        } else if (mayPass(-sent)) {
            enqueue(buffer, offset, length, descriptors);
        } else {
            closeAll(descriptors);
            onWriteFailed(-sent);
        }
    }

    @Override
    public boolean takesSplices() {
        return !origin.isShared() && !packets && queue.isEmpty() && isOpen() && !isReaderGone();
    }

    @Override
    void deliverNow(final SplicePipe pipe) {
        makeNonBlocking();
        final int sent = pipe.drainTo(descriptor.fd());
        if (sent < 0) {
            pipe.discard();
            onWriteFailed(-sent);
        } else {
            acknowledge(cost(sent));
            if (pipe.length() > 0) {
                widenSendBuffer();
            }
        }
    }

    @Override
    boolean drain() {
        heldUp = false;
        while (!queue.isEmpty() && queue.isFirstReady()) {
            readDatagrams();
            if (isClosed()) {
                return false;
            }
            final int[] riding = queue.firstDescriptors();
            final int pieces = queue.gather(commons.pieces());
            final int offered = queue.firstLength();
            if (packets && offered > OutputQueue.MAX_PACKET_LENGTH) {
                onWriteFailed(Errno.EMSGSIZE);
                return isOpen();
            }
            int sent = commons.send(descriptor.fd(), pieces, SEND_FLAGS, riding);
            sent = sendAgain(sent, pieces, offered, riding);
            if (sent < 0) {
                if (mayPass(-sent)) {
                    heldUp = sent != -Errno.EAGAIN;
                    return true;
                }
                onWriteFailed(-sent);
                return isOpen();
            }
            if (riding.length > 0) {
                queue.descriptorsSent();
            }
            taken(sent);
            if (sent < offered) {
                return true;
            }
        }
        return true;
    }

    @Override
    boolean isHeldUp() {
        return heldUp;
    }

    /**
     * Sends what {@code result} says could not be sent, if it may be possible now: returns that result, or the new one.
     */
    private int sendAgain(final int result, final int pieces, final int length, final int[] riding) {
        int sent = result;
        if (isLossOnTheNetwork(-sent)
            || (sent == -Errno.EMSGSIZE && SocketOptions.raiseSendBuffer(descriptor.fd(), length))) {
            sent = commons.send(descriptor.fd(), pieces, SEND_FLAGS, riding);
        }
        // As on the network: what nobody receives is lost.
        return isLossOnTheNetwork(-sent) ? length : sent;
    }

    /**
     * Whether an error only says that a packet, this one or an earlier one, was lost: for want of a receiver, of a way
     * to it, or of a firewall's permission, or because it was too long for the way (udp(7), ip(7), icmp_err_convert in
     * the kernel's net/ipv4/icmp.c). The sender of such packets must expect that, and the next may be received.
     */
    private boolean isLossOnTheNetwork(final int errno) {
        if (kind() != StreamKind.SOCKET_DGRAM || origin.isUnixFamily()) {
            return false;
        }
        return errno == Errno.ECONNREFUSED || errno == Errno.EHOSTUNREACH || errno == Errno.ENETUNREACH
            || errno == Errno.EHOSTDOWN || errno == Errno.ENETDOWN || errno == Errno.ENONET
            || errno == Errno.EPERM || errno == Errno.EACCES || errno == Errno.EMSGSIZE || errno == Errno.EPROTO
            || errno == Errno.ENOPROTOOPT || errno == Errno.EOPNOTSUPP || errno == Errno.ENOBUFS;
    }

    private static boolean mayPass(final int errno) {
        return errno == Errno.EAGAIN || Errno.isShortage(errno);
    }

    /**
     * Reads waiting datagrams before sending: when a send finds that the peer has been closed, the kernel drops
     * everything that the socket has not received (unix_dgram_disconnected in the kernel's net/unix/af_unix.c).
     */
    private void readDatagrams() {
        if (kind() == StreamKind.SOCKET_DGRAM && origin.isUnixFamily()) {
            for (int i = 0; i < MAX_DATAGRAMS_FIRST && !isClosed()
                && (registration.interest() & Constants.EPOLLIN) != 0 && hasDatagram(); i++) {
                read(Constants.EPOLLIN);
            }
        }
    }

    private boolean hasDatagram() {
        return Syscalls.recv(descriptor.fd(), commons.peekAddress(), 0, PEEK_LENGTH_FLAGS) >= 0;
    }

    /**
     * The other end of a datagram socket has been closed. Ends the stream if nothing is left to be read; otherwise the
     * next look will.
     */
    void onPeerLost() {
        final int next = Syscalls.recv(descriptor.fd(), commons.peekAddress(), 0, PEEK_LENGTH_FLAGS);
        if (next == -Errno.EAGAIN) {
            end(0);
        }
    }

    @Override
    void refuseInput() {
        if (!origin.isShared()) {
            Syscalls.shutdown(descriptor.fd(), Constants.SHUT_RD);
            commons.unwantedInput().drop(descriptor.fd(), kind());
        }
    }

    @Override
    void shutInput() {
        Syscalls.shutdown(descriptor.fd(), Constants.SHUT_RD);
    }

    @Override
    boolean hasLostReader(final int events) {
        return kind() != StreamKind.SOCKET_DGRAM && (events & Constants.EPOLLHUP) != 0 && !shutByApplication;
    }

    /**
     * EPOLLHUP says that both directions have ended, by close or by shutdown. A shutdown affects every copy of the
     * passed descriptor, a close only one; so the other side must be told which it was.
     */
    @Override
    void onHangUp() {
        if (!hungUp) {
            hungUp = true;
            shutByApplication = origin == Origin.STAND_IN && isShutDown() && !hasReadEnded()
                && commons.hasOpenPeer(descriptor.fd());
        }
    }

    @Override
    boolean isOnlyCopy() {
        return !origin.isShared() && !isAbandoned();
    }

    @Override
    void closeDescriptor() {
        commons.receiveQueues().forget(descriptor.fd());
        if (origin.isShared()) {
            if (isShutDown()) {
                commons.lateCloses().addShutDown(descriptor);
            } else {
                commons.lateCloses().add(descriptor);
            }
        } else if (isAbandoned()) {
            commons.lateCloses().addAbandoned(descriptor);
        } else {
            super.closeDescriptor();
        }
    }

    /** Whether the application has closed the stand-in, and may already be passing the next descriptor. */
    private boolean isAbandoned() {
        return origin == Origin.STAND_IN && hungUp && !readingOn;
    }

    @Override
    boolean hasErrorQueue() {
        return !origin.isUnixFamily();
    }

    private void onReadFailed(final int errno) {
        if (errno == Errno.ECONNRESET && !reset && isOpen()) {
            // What the application sent before it closed its end may still be there; it is read next.
            reset = true;
        } else if (errno != Errno.EAGAIN && !isLossOnTheNetwork(errno)) {
            end(errno);
        }
    }

    /**
     * Writing has failed. If that is because nobody reads there any more, what the application has written before must
     * still be passed on.
     */
    private void onWriteFailed(final int errno) {
        final boolean gone = errno == Errno.EPIPE || errno == Errno.ECONNRESET || errno == Errno.ECONNREFUSED;
        if (gone && isOpen()) {
            int next = Syscalls.recv(descriptor.fd(), commons.peekAddress(), 1, PEEK_LENGTH_FLAGS);
            if (next == -Errno.ECONNRESET) {
                // Reported once, before the bytes that are there to be read.
                reset = true;
                next = Syscalls.recv(descriptor.fd(), commons.peekAddress(), 1, PEEK_LENGTH_FLAGS);
            }
            // There is more to read, maybe after an empty packet; or the application has only shut down its receiving
            // side, and may still send.
            if (next > 0 || (next == 0 && packets && commons.unreadBytes(descriptor.fd()) > 0)
                || (next == -Errno.EAGAIN && errno == Errno.EPIPE)) {
                // If it may still send, its end is open; otherwise the kernel is asked.
                stopWriting(errno == Errno.EPIPE
                    && (next == -Errno.EAGAIN || commons.hasOpenPeer(descriptor.fd())));
                return;
            }
        }
        end(errno);
    }

    /** Whether a read of 0 bytes means the end, rather than an empty packet. */
    private boolean isEndOfFile(final int events) {
        return switch (kind()) {
            case SOCKET_DGRAM -> false;
            case SOCKET_SEQPACKET -> {
                // The other end is shut down, and no more bytes wait. (An empty packet right before the end looks the
                // same, also to an application.)
                yield (events & (Constants.EPOLLRDHUP | Constants.EPOLLHUP)) != 0
                    && commons.unreadBytes(descriptor.fd()) == 0;
            }
            default -> true;
        };
    }

    /** The reader is slower than the sender: a larger send buffer makes for fewer, larger writes. */
    private void widenSendBuffer() {
        if (origin.isUnixFamily() && !packets && !widened) {
            widened = true;
            commons.sendBuffer(descriptor.fd(), SEND_BUFFER_LENGTH);
        }
    }
}
