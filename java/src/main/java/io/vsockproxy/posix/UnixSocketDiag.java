/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.posix;

import org.agrona.concurrent.UnsafeBuffer;

/**
 * Asks the kernel whether the socket that a unix socket is connected to still exists. Nothing else tells: datagram
 * sockets get no event, and reading them returns EAGAIN for ever; for other sockets, close looks like shutdown.
 *
 * <pre>
 *   request:  nlmsghdr (16) | unix_diag_req (24): family, ..., inode at 8, what to show at 12, cookie at 16
 *   answer:   nlmsghdr (16) | unix_diag_msg (16) | attributes: length, type, value ...
 * </pre>
 *
 * <p>Source: sock_diag(7), include/uapi/linux/unix_diag.h. One thread.
 */
public final class UnixSocketDiag implements AutoCloseable {
    private static final int SOCK_DIAG_BY_FAMILY = 20;
    private static final int NLM_F_REQUEST = 1;
    private static final int UDIAG_SHOW_PEER = 4;
    private static final int UNIX_DIAG_PEER = 2;
    private static final int NO_COOKIE = -1;
    private static final int HEADER_LENGTH = 16;
    private static final int REQUEST_LENGTH = HEADER_LENGTH + 24;
    private static final int ANSWER_LENGTH = HEADER_LENGTH + 16;
    private static final int ATTRIBUTE_HEADER_LENGTH = 4;
    private static final int BUFFER_LENGTH = 4096;

    private final Memory memory = Memory.allocate(BUFFER_LENGTH);
    private final OwnedFd socket;

    /**
     * Opens a netlink socket. If the kernel does not support that, both questions are always answered with false.
     */
    public UnixSocketDiag() {
        final int fd = Syscalls.socket(
            Constants.AF_NETLINK, Constants.SOCK_DGRAM | Constants.SOCK_CLOEXEC, Constants.NETLINK_SOCK_DIAG);
        socket = fd < 0 ? null : OwnedFd.of(fd);
    }

    /** Whether it has a netlink socket, which is one descriptor. */
    public boolean isOpen() {
        return socket != null;
    }

    /**
     * Whether the socket with this inode number is connected to a socket that has been closed.
     *
     * @return false also when it is not connected, or the kernel cannot be asked.
     */
    public boolean hasLostPeer(final long inode) {
        return peerInode(inode) == 0;
    }

    /**
     * Whether the socket with this inode number is connected to a socket that is open.
     *
     * @return false also when the kernel cannot be asked.
     */
    public boolean hasOpenPeer(final long inode) {
        return peerInode(inode) > 0;
    }

    @Override
    public void close() {
        if (socket != null) {
            socket.close();
        }
        memory.close();
    }

    /** The inode number of the peer: 0 when that is closed, -1 when there is no peer or the kernel cannot be asked. */
    private long peerInode(final long inode) {
        if (socket == null) {
            return -1;
        }
        final UnsafeBuffer buffer = memory.buffer();
        buffer.setMemory(0, REQUEST_LENGTH, (byte) 0);
        buffer.putInt(0, REQUEST_LENGTH);
        buffer.putShort(4, (short) SOCK_DIAG_BY_FAMILY);
        buffer.putShort(6, (short) NLM_F_REQUEST);
        buffer.putByte(HEADER_LENGTH, (byte) Constants.AF_UNIX);
        buffer.putInt(HEADER_LENGTH + 4, -1);
        buffer.putInt(HEADER_LENGTH + 8, (int) inode);
        buffer.putInt(HEADER_LENGTH + 12, UDIAG_SHOW_PEER);
        buffer.putInt(HEADER_LENGTH + 16, NO_COOKIE);
        buffer.putInt(HEADER_LENGTH + 20, NO_COOKIE);
        if (Syscalls.send(socket.fd(), memory.address(), REQUEST_LENGTH, 0) != REQUEST_LENGTH) {
            return -1;
        }
        // The kernel answers before send returns.
        final int length = Syscalls.recv(socket.fd(), memory.address(), BUFFER_LENGTH, Constants.MSG_DONTWAIT);
        return length >= ANSWER_LENGTH && buffer.getShort(4) == SOCK_DIAG_BY_FAMILY ? answeredPeer(length) : -1;
    }

    private long answeredPeer(final int length) {
        final UnsafeBuffer buffer = memory.buffer();
        int offset = ANSWER_LENGTH;
        while (offset + ATTRIBUTE_HEADER_LENGTH + Integer.BYTES <= length) {
            final int attributeLength = buffer.getShort(offset);
            if (buffer.getShort(offset + 2) == UNIX_DIAG_PEER) {
                return buffer.getInt(offset + ATTRIBUTE_HEADER_LENGTH) & 0xFFFF_FFFFL;
            }
            if (attributeLength < ATTRIBUTE_HEADER_LENGTH) {
                break;
            }
            offset += (attributeLength + 3) & ~3;
        }
        return -1;
    }
}
