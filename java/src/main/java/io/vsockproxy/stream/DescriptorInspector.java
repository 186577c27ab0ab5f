/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.stream;

import io.vsockproxy.channel.DescriptorClass;
import io.vsockproxy.posix.Constants;
import io.vsockproxy.posix.Memory;
import io.vsockproxy.posix.SocketOptions;
import io.vsockproxy.posix.Syscalls;

/**
 * Finds out what a descriptor is, without ever waiting for whoever serves it: statx with AT_STATX_DONT_SYNC answers
 * from the kernel's cache, where fstat would ask a FUSE or network file system (which may be this very thread).
 */
public final class DescriptorInspector implements AutoCloseable {
    private final Memory memory = Memory.allocate(Constants.SIZEOF_STATX);
    private final SocketOptions options = new SocketOptions();

    /** What {@code fd}, which stays the caller's, is. */
    public DescriptorClass inspect(final int fd) {
        final int socketType = options.get(fd, Constants.SO_TYPE);
        if (socketType >= 0) {
            return inspectSocket(fd, socketType);
        }
        final int flags = Syscalls.fcntl(fd, Constants.F_GETFL, 0);
        if (flags < 0 || (flags & Constants.O_PATH) != 0 || statx(fd) < 0) {
            return DescriptorClass.OTHER;
        }
        final int format = memory.buffer().getShort(Constants.STATX_MODE_OFFSET) & Constants.S_IFMT;
        final int access = flags & Constants.O_ACCMODE;
        if (format == Constants.S_IFREG) {
            return DescriptorClass.REGULAR_FILE;
        }
        if (format == Constants.S_IFIFO && access == Constants.O_RDONLY) {
            return DescriptorClass.PIPE_READ_END;
        }
        if (format == Constants.S_IFIFO && access == Constants.O_WRONLY) {
            return DescriptorClass.PIPE_WRITE_END;
        }
        return DescriptorClass.OTHER;
    }

    /** The file status flags, as F_GETFL shows them; 0 when the descriptor has none. */
    public int statusFlags(final int fd) {
        return Math.max(0, Syscalls.fcntl(fd, Constants.F_GETFL, 0));
    }

    /** Whether the socket {@code fd} is of the unix family. */
    public boolean isUnixSocket(final int fd) {
        return options.get(fd, Constants.SO_DOMAIN) == Constants.AF_UNIX;
    }

    /** The inode number, as a socket's name in the kernel's socket tables; 0 when unknown. */
    public long inode(final int fd) {
        return statx(fd) < 0 ? 0 : memory.buffer().getLong(Constants.STATX_INO_OFFSET);
    }

    @Override
    public void close() {
        options.close();
        memory.close();
    }

    private int statx(final int fd) {
        return Syscalls.statx(fd, Constants.AT_STATX_DONT_SYNC, Constants.STATX_BASIC_STATS, memory.address());
    }

    private DescriptorClass inspectSocket(final int fd, final int type) {
        if (options.get(fd, Constants.SO_ACCEPTCONN) > 0) {
            return DescriptorClass.OTHER;
        }
        if (type == Constants.SOCK_STREAM) {
            return DescriptorClass.STREAM_SOCKET;
        }
        if (type == Constants.SOCK_DGRAM && options.get(fd, Constants.SO_DOMAIN) != Constants.AF_NETLINK) {
            return DescriptorClass.DATAGRAM_SOCKET;
        }
        if (type == Constants.SOCK_SEQPACKET) {
            return DescriptorClass.SEQPACKET_SOCKET;
        }
        return DescriptorClass.OTHER;
    }
}
