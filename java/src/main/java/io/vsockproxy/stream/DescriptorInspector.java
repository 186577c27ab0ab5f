/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.stream;

import io.vsockproxy.channel.DescriptorClass;
import io.vsockproxy.posix.Constants;
import io.vsockproxy.posix.Memory;
import io.vsockproxy.posix.Paths;
import io.vsockproxy.posix.SocketOptions;
import io.vsockproxy.posix.Syscalls;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.regex.Pattern;

/**
 * Finds out what a descriptor is, without ever waiting for whoever serves it: statx with AT_STATX_DONT_SYNC answers
 * from the kernel's cache, whereas fstat would ask a FUSE or network file system (which may be served by this very
 * thread). Borrows the descriptors. One thread.
 */
public final class DescriptorInspector implements AutoCloseable {
    /** How a file in /proc/self/fdinfo begins. */
    private static final String POSITION_FIELD = "pos:\t";
    private static final int SEEK_CUR = 1;
    private static final int NAME_LENGTH = Short.BYTES;
    private static final int NAME_LENGTH_OFFSET = Long.BYTES;
    private static final int PERMISSIONS = 07777;
    private static final int NAMESPACE_PERMISSIONS = 0444;
    private static final Pattern NAMESPACE = Pattern.compile("[a-z_]+:\\[[0-9]+]");

    private final Memory memory = Memory.allocate(Constants.SIZEOF_STATX);
    private final SocketOptions options = new SocketOptions();
    private boolean unixSocket;

    /** What kind of descriptor {@code fd} is. */
    public DescriptorClass inspect(final int fd) {
        unixSocket = false;
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
            return mayBeNamespace() && isNamespace(fd) ? DescriptorClass.OTHER : DescriptorClass.REGULAR_FILE;
        }
        if (format == Constants.S_IFIFO && access == Constants.O_RDONLY) {
            return DescriptorClass.PIPE_READ_END;
        }
        if (format == Constants.S_IFIFO && access == Constants.O_WRONLY) {
            return DescriptorClass.PIPE_WRITE_END;
        }
        return DescriptorClass.OTHER;
    }

    /** Whether {@code fd} is a pipe or FIFO that is open for both reading and writing. */
    public boolean isFifoForBoth(final int fd) {
        final int flags = statusFlags(fd);
        return (flags & Constants.O_PATH) == 0 && (flags & Constants.O_ACCMODE) == Constants.O_RDWR && statx(fd) >= 0
            && (memory.buffer().getShort(Constants.STATX_MODE_OFFSET) & Constants.S_IFMT) == Constants.S_IFIFO;
    }

    /** Whether there is a descriptor with this number. */
    public boolean isOpen(final int fd) {
        return Syscalls.fcntl(fd, Constants.F_GETFL, 0) >= 0;
    }

    /** The file status flags, as F_GETFL shows them; 0 when the descriptor has none. */
    public int statusFlags(final int fd) {
        return Math.max(0, Syscalls.fcntl(fd, Constants.F_GETFL, 0));
    }

    /**
     * The file position, in bytes; 0 for what has none. Read from /proc, because lseek(2) would wait for anyone who is
     * reading from a slow disk through a copy of the descriptor (f_pos_lock in the kernel's fs/file.c). If /proc does
     * not tell, lseek is called after all: continuing at a wrong position would overwrite data.
     */
    public long filePosition(final int fd) {
        final int file = Paths.open("/proc/self/fdinfo/" + fd, Constants.O_RDONLY | Constants.O_CLOEXEC);
        if (file < 0) {
            return Math.max(0, Syscalls.lseek(fd, 0, SEEK_CUR));
        }
        final long length = Syscalls.read(file, memory.address(), Constants.SIZEOF_STATX);
        Syscalls.close(file);
        long position = 0;
        for (int i = POSITION_FIELD.length(); i < length; i++) {
            final int digit = memory.buffer().getByte(i) - '0';
            if (digit < 0 || digit > 9) {
                break;
            }
            position = position * 10 + digit;
        }
        return position;
    }

    /** Whether the descriptor inspected last is a socket of the unix family. */
    public boolean wasUnixSocket() {
        return unixSocket;
    }

    /** The inode number, which also identifies a socket in the kernel's socket tables; 0 when unknown. */
    public long inode(final int fd) {
        return statx(fd) < 0 ? 0 : memory.buffer().getLong(Constants.STATX_INO_OFFSET);
    }

    @Override
    public void close() {
        options.close();
        memory.close();
    }

    /** Whether statx reported what it does for a namespace: an empty file, on no disk, that everybody may read. */
    private boolean mayBeNamespace() {
        return (memory.buffer().getShort(Constants.STATX_MODE_OFFSET) & PERMISSIONS) == NAMESPACE_PERMISSIONS
            && memory.buffer().getLong(Constants.STATX_SIZE_OFFSET) == 0
            && memory.buffer().getInt(Constants.STATX_DEV_MAJOR_OFFSET) == 0;
    }

    /**
     * Whether {@code fd} refers to a namespace (namespaces(7)). Its link in /proc tells: that of any other regular file
     * is a path. statfs(2) would tell too, but may wait for whoever serves the file.
     */
    private static boolean isNamespace(final int fd) {
        try {
            return NAMESPACE.matcher(Files.readSymbolicLink(Path.of("/proc/self/fd/" + fd)).toString()).matches();
        } catch (final IOException | InvalidPathException e) {
            return false;
        }
    }

    private int statx(final int fd) {
        return Syscalls.statx(fd, Constants.AT_STATX_DONT_SYNC, Constants.STATX_BASIC_STATS, memory.address());
    }

    /** The family of the socket's peer, which is also its own; or {@code -errno}: ENOTCONN without a peer. */
    private int peerFamily(final int fd) {
        memory.buffer().putInt(NAME_LENGTH_OFFSET, NAME_LENGTH);
        final int result = Syscalls.getpeername(fd, memory.address(), memory.address() + NAME_LENGTH_OFFSET);
        return result < 0 ? result : memory.buffer().getShort(Constants.SOCKADDR_UN_FAMILY_OFFSET);
    }

    private DescriptorClass inspectSocket(final int fd, final int type) {
        int family = peerFamily(fd);
        if (family < 0) {
            // It has no peer: it listens, or is not connected, or no longer connected.
            if (options.get(fd, Constants.SO_ACCEPTCONN) > 0) {
                return DescriptorClass.OTHER;
            }
            family = options.get(fd, Constants.SO_DOMAIN);
        }
        unixSocket = family == Constants.AF_UNIX;
        if (type == Constants.SOCK_STREAM) {
            return DescriptorClass.STREAM_SOCKET;
        }
        if (type == Constants.SOCK_DGRAM && family != Constants.AF_NETLINK) {
            return DescriptorClass.DATAGRAM_SOCKET;
        }
        if (type == Constants.SOCK_SEQPACKET) {
            return DescriptorClass.SEQPACKET_SOCKET;
        }
        return DescriptorClass.OTHER;
    }
}
