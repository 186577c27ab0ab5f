/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.posix;

import java.nio.charset.StandardCharsets;
import org.agrona.MutableDirectBuffer;

/**
 * The name of a socket or of its peer.
 *
 * @param family AF_UNIX, AF_VSOCK or another.
 * @param path   of an AF_UNIX socket, as {@link SocketAddress#unix} takes it; null when it has no name or an abstract
 *               one that contains a NUL, and for other families.
 * @param cid    context identifier of an AF_VSOCK socket, unsigned; else 0.
 * @param port   of an AF_VSOCK socket, unsigned; else 0.
 */
public record SocketName(int family, String path, int cid, int port) {
    /** sizeof(struct sockaddr_storage). */
    private static final int MAX_LENGTH = 128;
    private static final int LENGTH_OFFSET = MAX_LENGTH;

    /** One of getsockname(2) and getpeername(2). */
    @FunctionalInterface
    private interface Call {
        int apply(int fd, long sockaddr, long lengthAddress);
    }

    /**
     * getsockname(2).
     *
     * @throws PosixException ENOTSOCK.
     */
    public static SocketName local(final int fd) {
        return ask("getsockname", Syscalls::getsockname, fd);
    }

    /**
     * getpeername(2).
     *
     * @throws PosixException ENOTCONN when the peer has gone already; ENOTSOCK.
     */
    public static SocketName peer(final int fd) {
        return ask("getpeername", Syscalls::getpeername, fd);
    }

    private static SocketName ask(final String name, final Call call, final int fd) {
        try (Memory memory = Memory.allocate(MAX_LENGTH + Integer.BYTES)) {
            final MutableDirectBuffer buffer = memory.buffer();
            buffer.putInt(LENGTH_OFFSET, MAX_LENGTH);
            PosixException.check(
                call.apply(fd, memory.address(), memory.address() + LENGTH_OFFSET), name + " of descriptor " + fd);
            final int family = buffer.getShort(Constants.SOCKADDR_UN_FAMILY_OFFSET);
            if (family == Constants.AF_VSOCK) {
                return new SocketName(family, null,
                    buffer.getInt(Constants.SOCKADDR_VM_CID_OFFSET), buffer.getInt(Constants.SOCKADDR_VM_PORT_OFFSET));
            }
            return new SocketName(family,
                family == Constants.AF_UNIX ? path(buffer, buffer.getInt(LENGTH_OFFSET)) : null, 0, 0);
        }
    }

    private static String path(final MutableDirectBuffer buffer, final int addressLength) {
        final byte[] bytes = new byte[Math.max(0, addressLength - Constants.SOCKADDR_UN_PATH_OFFSET)];
        buffer.getBytes(Constants.SOCKADDR_UN_PATH_OFFSET, bytes);
        final boolean isAbstract = bytes.length > 1 && bytes[0] == 0;
        int end = isAbstract ? 1 : 0;
        while (end < bytes.length && bytes[end] != 0) {
            end++;
        }
        if (isAbstract) {
            bytes[0] = SocketAddress.ABSTRACT;
            // All bytes of an abstract name count, a NUL among them too.
            return end == bytes.length ? new String(bytes, StandardCharsets.UTF_8) : null;
        }
        // The length may or may not include a NUL at the end (unix(7)).
        return end == 0 ? null : new String(bytes, 0, end, StandardCharsets.UTF_8);
    }
}
