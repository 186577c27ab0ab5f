/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.testing;

import io.vsockproxy.LinkAddress;
import io.vsockproxy.posix.Constants;
import io.vsockproxy.posix.ControlData;
import io.vsockproxy.posix.Errno;
import io.vsockproxy.posix.IoVec;
import io.vsockproxy.posix.Memory;
import io.vsockproxy.posix.OwnedFd;
import io.vsockproxy.posix.PosixException;
import io.vsockproxy.posix.SocketAddress;
import io.vsockproxy.posix.Syscalls;
import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * A descriptor of an application: socket, pipe, file. Every operation waits only for a bounded time, and does not
 * change the descriptor's flags.
 */
public final class Endpoint implements AutoCloseable {
    private static final int SCRATCH_LENGTH = 2 << 20;
    private static final int PIECE_LENGTH = 256 * 1024;
    /** What a pipe that shows EPOLLOUT takes without blocking: PIPE_BUF. */
    private static final int PIPE_PIECE_LENGTH = 4096;
    private static final int BACKLOG = 4096;
    private static final int END = 0;
    /** Bytes that the other end has not received yet; linux/sockios.h. */
    private static final int SIOCOUTQ = 0x5411;
    /** After so long without room, the other end has stopped receiving. */
    private static final int STALL_MS = 400;
    private static final long VSOCK_PAUSE_MS = 30;

    /** Memory for system calls, one for each thread. */
    private static final class Scratch {
        private final Memory memory = Memory.allocate(SCRATCH_LENGTH);
        private final Memory table = Memory.allocate(IoVec.LENGTH + ControlData.LENGTH + 64);
        private final Memory descriptors = Memory.allocate(2 * ControlData.MAX_DESCRIPTORS * Integer.BYTES);
        private final ControlData control = new ControlData(table, IoVec.LENGTH);

        long epollEventAddress() {
            return table.address(IoVec.LENGTH + ControlData.LENGTH, Constants.SIZEOF_EPOLL_EVENT);
        }
    }

    private static final ThreadLocal<Scratch> SCRATCH = ThreadLocal.withInitial(Scratch::new);

    private final OwnedFd owned;

    private Endpoint(final int fd) {
        owned = OwnedFd.of(fd);
    }

    /** Takes ownership of {@code fd}; an error fails the test with {@code what}. */
    public static Endpoint of(final int fd, final String what) {
        return new Endpoint(PosixException.check(fd, what));
    }

    /** Connects to a unix socket. */
    public static Endpoint connect(final Path path) {
        final Endpoint socket = of(
            Syscalls.socket(Constants.AF_UNIX, Constants.SOCK_STREAM | Constants.SOCK_CLOEXEC, 0), "socket");
        try (SocketAddress address = SocketAddress.unix(path.toString())) {
            PosixException.check(address.connect(socket.fd()), "connect to " + path);
            return socket;
        } catch (final PosixException e) {
            socket.close();
            throw e;
        }
    }

    /** Listens on a unix socket. */
    public static Endpoint listen(final Path path) {
        final Endpoint socket = of(
            Syscalls.socket(Constants.AF_UNIX, Constants.SOCK_STREAM | Constants.SOCK_CLOEXEC, 0), "socket");
        try (SocketAddress address = SocketAddress.unix(path.toString())) {
            PosixException.check(address.bind(socket.fd()), "bind to " + path);
            PosixException.check(Syscalls.listen(socket.fd(), BACKLOG), "listen");
            return socket;
        }
    }

    /** Connects to where a host listens. */
    public static Endpoint connect(final LinkAddress link) {
        if (link.isUnix()) {
            return connect(Path.of(link.path()));
        }
        final Endpoint socket = vsock();
        try (SocketAddress address = SocketAddress.vsock(link.cid(), link.port())) {
            PosixException.check(address.connect(socket.fd()), "connect to " + link);
            return socket;
        } catch (final PosixException e) {
            socket.close();
            throw e;
        }
    }

    /** Listens where a guest connects. */
    public static Endpoint listen(final LinkAddress link) {
        if (link.isUnix()) {
            return listen(Path.of(link.path()));
        }
        final Endpoint socket = vsock();
        try (SocketAddress address = SocketAddress.vsock(link.cid(), link.port())) {
            PosixException.check(address.bind(socket.fd()), "bind to " + link);
            PosixException.check(Syscalls.listen(socket.fd(), BACKLOG), "listen");
            return socket;
        }
    }

    private static Endpoint vsock() {
        return of(Syscalls.socket(Constants.AF_VSOCK, Constants.SOCK_STREAM | Constants.SOCK_CLOEXEC, 0), "socket");
    }

    /** A connected pair of unix sockets of the given type. */
    public static Endpoint[] socketPair(final int type) {
        final Scratch scratch = SCRATCH.get();
        PosixException.check(
            Syscalls.socketpair(Constants.AF_UNIX, type | Constants.SOCK_CLOEXEC, 0, scratch.descriptors.address()),
            "socketpair");
        return takePair(scratch);
    }

    /** A pipe: read end, write end. */
    public static Endpoint[] pipe() {
        return pipe(0);
    }

    /** A pipe in packet mode: read end, write end. */
    public static Endpoint[] packetPipe() {
        return pipe(Constants.O_DIRECT);
    }

    private static Endpoint[] pipe(final int flags) {
        final Scratch scratch = SCRATCH.get();
        PosixException.check(Syscalls.pipe2(scratch.descriptors.address(), flags | Constants.O_CLOEXEC), "pipe2");
        return takePair(scratch);
    }

    /** open(2). */
    public static Endpoint open(final Path path, final int flags) {
        final byte[] bytes = path.toString().getBytes(StandardCharsets.UTF_8);
        final Memory memory = SCRATCH.get().memory;
        memory.buffer().putBytes(0, bytes);
        memory.buffer().putByte(bytes.length, (byte) 0);
        return of(Syscalls.open(memory.address(), flags | Constants.O_CLOEXEC, 0600), "open " + path);
    }

    /** eventfd(2). */
    public static Endpoint eventfd(final int value) {
        return of(Syscalls.eventfd(value, Constants.EFD_CLOEXEC), "eventfd");
    }

    /** The number, still owned here. */
    public int fd() {
        return owned.fd();
    }

    /** Accepts a connection. */
    public Endpoint accept() {
        await(Constants.EPOLLIN, "a connection");
        return of(Syscalls.accept4(fd(), 0, 0, Constants.SOCK_CLOEXEC), "accept4");
    }

    /** F_GETFL. */
    public int statusFlags() {
        return PosixException.check(Syscalls.fcntl(fd(), Constants.F_GETFL, 0), "F_GETFL");
    }

    /** Whether O_NONBLOCK is set. */
    public boolean isNonBlocking() {
        return (statusFlags() & Constants.O_NONBLOCK) != 0;
    }

    /** Sets O_NONBLOCK. */
    public void setNonBlocking() {
        PosixException.check(
            Syscalls.fcntl(fd(), Constants.F_SETFL, statusFlags() | Constants.O_NONBLOCK), "F_SETFL");
    }

    // ---- Sockets

    /** Sends text. */
    public void send(final String text, final Endpoint... passed) {
        send(text.getBytes(StandardCharsets.ISO_8859_1), passed);
    }

    /** Sends all of {@code bytes}, the descriptors (which stay the caller's) with the first of them. */
    public void send(final byte[] bytes, final Endpoint... passed) {
        int done = 0;
        int sent;
        do {
            sent = trySend(bytes, done, bytes.length - done, done == 0 ? passed : new Endpoint[0]);
            if (sent == -Errno.EAGAIN) {
                await(Constants.EPOLLOUT, "room to send");
            } else {
                done += PosixException.check(sent, "send " + bytes.length + " bytes, done=" + done);
            }
            // An empty packet that found no room still has to be sent.
        } while (sent == -Errno.EAGAIN || done < bytes.length);
    }

    /** One sendmsg of what fits into one call, which does not wait: bytes sent or {@code -errno}. */
    public int trySend(final byte[] bytes, final int offset, final int length, final Endpoint... passed) {
        final Scratch scratch = SCRATCH.get();
        final int count = Math.min(length, SCRATCH_LENGTH);
        scratch.memory.buffer().putBytes(0, bytes, offset, count);
        for (int i = 0; i < passed.length; i++) {
            scratch.descriptors.buffer().putInt(i * Integer.BYTES, passed[i].fd());
        }
        IoVec.set(scratch.table.buffer(), 0, scratch.memory.address(), count);
        return Syscalls.sendmsg(
            fd(), scratch.table.address(), 1, Constants.MSG_DONTWAIT | Constants.MSG_NOSIGNAL,
            scratch.descriptors.address(), passed.length);
    }

    /** Sends, and closes the descriptors that were passed. */
    public void pass(final String text, final Endpoint... passed) {
        send(text, passed);
        closeAll(passed);
    }

    /** Receives once, up to {@value #PIECE_LENGTH} bytes of a stream or a whole packet of up to 2 MiB. */
    public Received receive() {
        return receive(SCRATCH_LENGTH);
    }

    /** Receives once, at most {@code maxLength} bytes. */
    public Received receive(final int maxLength) {
        Received received = receiveNow(maxLength);
        while (received == null) {
            await(Constants.EPOLLIN, "something to receive");
            received = receiveNow(maxLength);
        }
        return received;
    }

    /** Receives once, at most {@code maxLength} bytes, without waiting: null when there is nothing. */
    public Received receiveNow(final int maxLength) {
        final Scratch scratch = SCRATCH.get();
        final int received = receiveInto(scratch, maxLength);
        if (received == -Errno.EAGAIN) {
            return null;
        }
        PosixException.check(received, "recvmsg");
        final byte[] bytes = new byte[received];
        scratch.memory.buffer().getBytes(0, bytes);
        final List<Endpoint> descriptors = new ArrayList<>();
        for (int i = 0; i < scratch.control.count(); i++) {
            descriptors.add(new Endpoint(scratch.control.descriptor(i)));
        }
        scratch.control.clear();
        return new Received(bytes, descriptors);
    }

    /** Receives once without waiting: bytes received or {@code -errno}; descriptors that come are closed. */
    public int tryReceive(final int maxLength) {
        final Scratch scratch = SCRATCH.get();
        final int received = receiveInto(scratch, maxLength);
        if (received >= 0) {
            scratch.control.closeAll();
        }
        return received;
    }

    /**
     * Receives once without waiting: bytes received or {@code -errno}.
     *
     * @param bytes       receives as many bytes as it has room for.
     * @param descriptors gets the descriptors that came with them; the caller must close them.
     */
    public int tryReceive(final byte[] bytes, final List<Endpoint> descriptors) {
        final Scratch scratch = SCRATCH.get();
        final int received = receiveInto(scratch, bytes.length);
        if (received >= 0) {
            scratch.memory.buffer().getBytes(0, bytes, 0, received);
            for (int i = 0; i < scratch.control.count(); i++) {
                descriptors.add(new Endpoint(scratch.control.descriptor(i)));
            }
            if (scratch.control.isTruncated()) {
                throw new AssertionError("descriptors were lost on the way: MSG_CTRUNC");
            }
            scratch.control.clear();
        }
        return received;
    }

    private int receiveInto(final Scratch scratch, final int maxLength) {
        return Syscalls.recvmsg(
            fd(), scratch.memory.address(0, maxLength), maxLength,
            Constants.MSG_DONTWAIT | Constants.MSG_CMSG_CLOEXEC, scratch.control.address());
    }

    /** shutdown(2) of the receiving side. */
    public void shutdownRead() {
        PosixException.check(Syscalls.shutdown(fd(), Constants.SHUT_RD), "shutdown");
    }

    /** shutdown(2) of the sending side. */
    public void shutdownWrite() {
        PosixException.check(Syscalls.shutdown(fd(), Constants.SHUT_WR), "shutdown");
    }

    /**
     * Waits until the other end has received everything sent so far; where the kernel cannot tell (AF_VSOCK before
     * Linux 6.12), for as long as that usually takes.
     */
    public void awaitTaken() {
        if (tryUnsentBytes() == -Errno.EOPNOTSUPP) {
            Await.pause(VSOCK_PAUSE_MS);
            return;
        }
        Await.until(() -> unsentBytes() == 0, () -> "the other end to receive " + unsentBytes() + " bytes");
    }

    /**
     * Sends {@code bytes} again and again until the other end has stopped receiving.
     *
     * @return how many bytes went; the last round may be incomplete: {@link #sendRest}.
     */
    public long sendUntilStalled(final byte[] bytes, final long maxLength) {
        long total = 0;
        while (total < maxLength) {
            final int offset = (int) (total % bytes.length);
            final int sent = trySend(bytes, offset, bytes.length - offset);
            if (sent != -Errno.EAGAIN) {
                total += PosixException.check(sent, "send");
            } else if (poll(Constants.EPOLLOUT, STALL_MS) == 0) {
                return total;
            }
        }
        throw new AssertionError("the other end never stopped receiving, bytes=" + total);
    }

    /** Completes the last round of {@link #sendUntilStalled}, which had sent {@code total}: how many rounds. */
    public int sendRest(final byte[] bytes, final long total) {
        final int offset = (int) (total % bytes.length);
        if (offset > 0) {
            send(Arrays.copyOfRange(bytes, offset, bytes.length));
        }
        return (int) ((total + bytes.length - 1) / bytes.length);
    }

    private int unsentBytes() {
        return PosixException.check(tryUnsentBytes(), "SIOCOUTQ");
    }

    private int tryUnsentBytes() {
        final Scratch scratch = SCRATCH.get();
        final int result = Syscalls.ioctl(fd(), SIOCOUTQ, scratch.epollEventAddress());
        return result < 0 ? result
            : scratch.table.buffer().getInt((int) (scratch.epollEventAddress() - scratch.table.address()));
    }

    // ---- Anything that can be read and written

    /** Reads exactly {@code length} bytes. */
    public byte[] readFully(final int length) {
        final byte[] bytes = new byte[length];
        int done = 0;
        while (done < length) {
            final int count = (int) read(bytes, done, Math.min(length - done, PIECE_LENGTH));
            if (count == END) {
                throw new AssertionError("the end came after " + done + " of " + length + " bytes");
            }
            done += count;
        }
        return bytes;
    }

    /** Reads exactly {@code length} bytes as text. */
    public String readText(final int length) {
        return new String(readFully(length), StandardCharsets.ISO_8859_1);
    }

    /** Reads until the end. */
    public byte[] readToEnd() {
        final ByteArrayOutputStream all = new ByteArrayOutputStream();
        final byte[] piece = new byte[PIECE_LENGTH];
        for (int count = (int) read(piece, 0, piece.length); count > 0; count = (int) read(piece, 0, piece.length)) {
            all.write(piece, 0, count);
        }
        return all.toByteArray();
    }

    /** Reads once, after waiting: how many bytes, 0 at the end. */
    public long read(final byte[] bytes, final int offset, final int length) {
        await(Constants.EPOLLIN, "something to read");
        final Memory memory = SCRATCH.get().memory;
        final long count = Syscalls.read(fd(), memory.address(0, length), length);
        PosixException.check((int) count, "read");
        memory.buffer().getBytes(0, bytes, offset, (int) count);
        return count;
    }

    /** Writes text to a pipe. */
    public void write(final String text) {
        write(text.getBytes(StandardCharsets.ISO_8859_1));
    }

    /** Writes all to a pipe, which is waited for. */
    public void write(final byte[] bytes) {
        for (int done = 0; done < bytes.length;) {
            done += PosixException.check((int) tryWrite(bytes, done, bytes.length - done), "write");
        }
    }

    /** One write to a pipe, after it has shown room: how many bytes or {@code -errno}. */
    public long tryWrite(final byte[] bytes, final int offset, final int length) {
        await(Constants.EPOLLOUT, "room to write");
        final Memory memory = SCRATCH.get().memory;
        final int count = Math.min(length, PIPE_PIECE_LENGTH);
        memory.buffer().putBytes(0, bytes, offset, count);
        return Syscalls.write(fd(), memory.address(), count);
    }

    /** Waits for the end and fails when bytes come before it. */
    public void expectEnd() {
        final byte[] byteBeforeEnd = new byte[1];
        if (read(byteBeforeEnd, 0, 1) != END) {
            throw new AssertionError("expected the end, but byte " + byteBeforeEnd[0] + " came");
        }
    }

    /** Waits until a write end shows that its readers are gone, or a socket that its other end is. */
    public void awaitHangUp() {
        Await.until(() -> (poll(0, 0) & (Constants.EPOLLERR | Constants.EPOLLHUP)) != 0, () -> "a hang-up");
    }

    /** Whether something can be read at once. */
    public boolean isReadable() {
        return poll(Constants.EPOLLIN, 0) != 0;
    }

    /** Whether something can be written at once. */
    public boolean isWritable() {
        return (poll(Constants.EPOLLOUT, 0) & Constants.EPOLLOUT) != 0;
    }

    /** Whether the other end is gone. */
    public boolean isHungUp() {
        return (poll(Constants.EPOLLRDHUP, 0) & (Constants.EPOLLHUP | Constants.EPOLLRDHUP)) != 0;
    }

    /** Waits for any of {@code events}, for a bounded time. */
    public void await(final int events, final String what) {
        if (poll(events, (int) Await.TIMEOUT_MS) == 0) {
            throw new AssertionError("not in " + Await.TIMEOUT_MS + " ms: " + what);
        }
    }

    @Override
    public void close() {
        owned.close();
    }

    /** Closes each. */
    public static void closeAll(final Endpoint... endpoints) {
        Arrays.asList(endpoints).forEach(Endpoint::close);
    }

    /** Waits for any of {@code events}, up to {@code timeoutMs}: which there are, EPOLLERR and EPOLLHUP among them. */
    public int poll(final int events, final int timeoutMs) {
        final Scratch scratch = SCRATCH.get();
        final int epoll = PosixException.check(Syscalls.epollCreate1(Constants.EPOLL_CLOEXEC), "epoll_create1");
        try {
            final int result = Syscalls.epollCtl(epoll, Constants.EPOLL_CTL_ADD, fd(), events, 0);
            if (result == -Errno.EPERM) {
                // A regular file is always ready.
                return events;
            }
            PosixException.check(result, "epoll_ctl");
            final long address = scratch.epollEventAddress();
            final int count = PosixException.check(Syscalls.epollWait(epoll, address, 1, timeoutMs), "epoll_wait");
            return count == 0 ? 0 : scratch.table.buffer().getInt(
                (int) (address - scratch.table.address()) + Constants.EPOLL_EVENT_EVENTS_OFFSET);
        } finally {
            Syscalls.close(epoll);
        }
    }

    private static Endpoint[] takePair(final Scratch scratch) {
        return new Endpoint[] {
            new Endpoint(scratch.descriptors.buffer().getInt(0)),
            new Endpoint(scratch.descriptors.buffer().getInt(Integer.BYTES)),
        };
    }
}
