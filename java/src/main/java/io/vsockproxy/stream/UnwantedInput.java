/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.stream;

import io.vsockproxy.posix.Constants;
import io.vsockproxy.posix.ControlData;
import io.vsockproxy.posix.Memory;
import io.vsockproxy.posix.Syscalls;

/**
 * Drops what an application has sent that nobody will receive any more. Descriptors in it would otherwise stay open,
 * and their other ends wait, as long as the socket is open to deliver what has come before.
 *
 * <p>The last byte or packet is left, unless it carries descriptors: when a socket is closed with something unread, the
 * kernel tells the other end (ECONNRESET).
 */
final class UnwantedInput {
    private static final int PEEK_FLAGS = Constants.MSG_DONTWAIT | Constants.MSG_PEEK;

    private final StreamCommons commons;

    UnwantedInput(final StreamCommons commons) {
        this.commons = commons;
    }

    /**
     * Drops what can be read from a unix socket that has been shut down, so that no more can come. Borrows {@code fd}.
     */
    void drop(final int fd, final StreamKind kind) {
        final ChunkPool.Chunk chunk = commons.pool().take();
        final Memory scratch = chunk.memory();
        boolean more = true;
        while (more) {
            more = switch (kind) {
                case SOCKET_DGRAM -> receive(fd, scratch, ChunkPool.CHUNK_LENGTH) >= 0;
                case SOCKET_SEQPACKET -> dropPacket(fd, scratch);
                default -> dropBytes(fd, scratch);
            };
        }
        commons.pool().giveBack(chunk);
    }

    /** Descriptors are attached to the first byte that was sent with them, and no receive goes past them. */
    private boolean dropBytes(final int fd, final Memory scratch) {
        final int unread = commons.unreadBytes(fd);
        if (unread > 1) {
            return receive(fd, scratch, Math.min(unread - 1, ChunkPool.CHUNK_LENGTH)) > 0;
        }
        return unread == 1 && hasDescriptors(fd, scratch) && receive(fd, scratch, 1) > 0;
    }

    /** FIONREAD is the total of all packets; an empty packet behind the others is left. */
    private boolean dropPacket(final int fd, final Memory scratch) {
        final int unread = commons.unreadBytes(fd);
        if (unread <= 0) {
            return false;
        }
        final int length = Syscalls.recv(fd, scratch.address(), 0, PEEK_FLAGS | Constants.MSG_TRUNC);
        return length >= 0 && (length < unread || hasDescriptors(fd, scratch))
            && receive(fd, scratch, ChunkPool.CHUNK_LENGTH) >= 0;
    }

    /** recv(2) has no place for descriptors, so the kernel closes those that come. */
    private static int receive(final int fd, final Memory scratch, final int length) {
        return Syscalls.recv(fd, scratch.address(), length, Constants.MSG_DONTWAIT);
    }

    /** Whether descriptors come with the next byte. A peek duplicates them, so the copies are closed. */
    private boolean hasDescriptors(final int fd, final Memory scratch) {
        final ControlData control = commons.control();
        final int peeked = Syscalls.recvmsg(
            fd, scratch.address(), 1, PEEK_FLAGS | Constants.MSG_CMSG_CLOEXEC, control.address());
        final boolean found = peeked >= 0 && (control.count() > 0 || control.isTruncated());
        if (peeked >= 0) {
            control.closeAll();
        }
        return found;
    }
}
