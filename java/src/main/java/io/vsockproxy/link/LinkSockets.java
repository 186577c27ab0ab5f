/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.link;

import io.vsockproxy.posix.Constants;
import io.vsockproxy.posix.Memory;
import io.vsockproxy.posix.OwnedFd;
import io.vsockproxy.posix.PosixException;
import io.vsockproxy.posix.SocketAddress;
import io.vsockproxy.posix.SocketOptions;
import io.vsockproxy.posix.Syscalls;

/**
 * Addresses and options of the sockets of links.
 */
public final class LinkSockets {
    /** The send buffer of a unix link, in bytes: two blobs of the usual read length, and the kernel's overhead. */
    private static final int UNIX_BUFFER_LENGTH = 416 * 1024;
    private static final int BACKLOG = 64;

    private LinkSockets() {
    }

    /** The address family. */
    public static int family(final boolean unix) {
        return unix ? Constants.AF_UNIX : Constants.AF_VSOCK;
    }

    /** The address to connect to: of a unix socket when {@code path} is not null, else vsock. */
    public static SocketAddress address(final String path, final int cid, final int port) {
        return path != null ? SocketAddress.unix(path) : SocketAddress.vsock(cid, port);
    }

    /**
     * Creates a listening AF_VSOCK socket, which the caller owns.
     *
     * @param bufferLength how many bytes the kernel may buffer for each connection.
     * @throws PosixException when it cannot be created: EADDRINUSE, EADDRNOTAVAIL, EAFNOSUPPORT.
     */
    public static OwnedFd listenVsock(final int cid, final int port, final long bufferLength) {
        final OwnedFd socket = OwnedFd.of(PosixException.check(
            Syscalls.socket(
                Constants.AF_VSOCK, Constants.SOCK_STREAM | Constants.SOCK_CLOEXEC | Constants.SOCK_NONBLOCK, 0),
            "socket(AF_VSOCK)"));
        try (SocketAddress address = SocketAddress.vsock(cid, port)) {
            configureVsock(socket.fd(), bufferLength);
            PosixException.check(address.bind(socket.fd()), "bind to vsock port " + Integer.toUnsignedString(port));
            PosixException.check(Syscalls.listen(socket.fd(), BACKLOG), "listen");
            return socket;
        } catch (final PosixException e) {
            socket.close();
            throw e;
        }
    }

    /** Sets the buffers of a unix-socket link. Borrows {@code fd}. */
    public static void configureUnix(final int fd) {
        try (SocketOptions options = new SocketOptions()) {
            options.set(fd, Constants.SO_SNDBUF, UNIX_BUFFER_LENGTH);
        }
    }

    /**
     * Sets the buffers of an AF_VSOCK link, preferably before it is connected, because each side then tells the other
     * how much room it has. Has no effect if the kernel does not allow it: see {@link #vsockBufferLength}.
     *
     * @param fd           borrowed.
     * @param bufferLength how many bytes the kernel may buffer in each direction.
     */
    public static void configureVsock(final int fd, final long bufferLength) {
        try (Memory value = Memory.allocate(Long.BYTES)) {
            value.buffer().putLong(0, bufferLength);
            // The maximum first: the kernel silently clamps the size to it.
            Syscalls.setsockopt(
                fd, Constants.AF_VSOCK, Constants.SO_VM_SOCKETS_BUFFER_MAX_SIZE, value.address(), Long.BYTES);
            Syscalls.setsockopt(
                fd, Constants.AF_VSOCK, Constants.SO_VM_SOCKETS_BUFFER_SIZE, value.address(), Long.BYTES);
        }
    }

    /** The buffer length that the kernel has given an AF_VSOCK link, in bytes; or {@code -errno}. */
    public static long vsockBufferLength(final int fd) {
        try (Memory memory = Memory.allocate(2 * Long.BYTES)) {
            memory.buffer().putInt(Long.BYTES, Long.BYTES);
            final int result = Syscalls.getsockopt(
                fd, Constants.AF_VSOCK, Constants.SO_VM_SOCKETS_BUFFER_SIZE, memory.address(),
                memory.address() + Long.BYTES);
            return result < 0 ? result : memory.buffer().getLong(0);
        }
    }
}
