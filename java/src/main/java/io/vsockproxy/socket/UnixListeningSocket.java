/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.socket;

import io.vsockproxy.config.SocketAccess;
import io.vsockproxy.posix.Constants;
import io.vsockproxy.posix.Errno;
import io.vsockproxy.posix.Memory;
import io.vsockproxy.posix.OwnedFd;
import io.vsockproxy.posix.Paths;
import io.vsockproxy.posix.PosixException;
import io.vsockproxy.posix.SocketAddress;
import io.vsockproxy.posix.Syscalls;
import java.io.IOException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.attribute.GroupPrincipal;
import java.nio.file.attribute.PosixFileAttributeView;
import java.nio.file.attribute.UserPrincipalNotFoundException;
import java.util.function.Function;
import org.agrona.DirectBuffer;

/**
 * A listening unix socket. In the file system it is created, if need be in place of one that a dead process has left,
 * and removed again. In the abstract namespace it disappears when the descriptor is closed.
 *
 * @param path       as {@link SocketAddress#unix} takes it.
 * @param descriptor the listening socket. Whoever uses this record must close it; the record does not.
 * @param file       the identity of the socket's file; null for an abstract name, or when it could not be determined.
 */
public record UnixListeningSocket(String path, OwnedFd descriptor, FileId file) {
    private static final int BACKLOG = 512;

    /** Identifies a file among those that exist at the same time. */
    record FileId(int deviceMajor, int deviceMinor, long inode) { }

    /**
     * Creates a socket and listens on it.
     *
     * @param access who may connect to it. It has no effect in the abstract namespace, where every process of the same
     *               network namespace may connect.
     * @throws PosixException EADDRINUSE when somebody else listens there or something else is in the way; EACCES,
     *                        ENOENT, EPERM; EINVAL when there is no such group.
     */
    public static UnixListeningSocket open(final String path, final SocketAccess access) {
        final OwnedFd socket = newSocket();
        try (SocketAddress address = SocketAddress.unix(path)) {
            final boolean isAbstract = SocketAddress.isAbstract(path);
            int result = address.bind(socket.fd());
            if (result == -Errno.EADDRINUSE && !isAbstract && isAbandoned(path, address)) {
                Paths.unlink(path);
                result = address.bind(socket.fd());
            }
            final boolean isOther = result == -Errno.EADDRINUSE && !isAbstract && !isSocket(path);
            final boolean isTaken = result == -Errno.EADDRINUSE && !isOther && (isAbstract || hasListener(address));
            final String taken = isTaken ? " (another process listens there)" : "";
            PosixException.check(
                result, "bind to " + path + (isOther ? " (which exists and is not a socket)" : taken));
            final UnixListeningSocket made =
                new UnixListeningSocket(path, socket, isAbstract ? null : fileAt(path));
            try {
                if (!isAbstract) {
                    restrict(path, access);
                }
                PosixException.check(Syscalls.listen(socket.fd(), BACKLOG), "listen on " + path);
            } catch (final PosixException e) {
                made.remove();
                throw e;
            }
            return made;
        } catch (final PosixException e) {
            socket.close();
            throw e;
        }
    }

    /**
     * Removes the socket from the file system, unless something else is in its place by now. To be called before {@link
     * #descriptor} is closed: until then the inode's number is not reused.
     */
    public void remove() {
        if (SocketAddress.isAbstract(path)) {
            return;
        }
        final FileId found = fileAt(path);
        if (file == null || found == null || found.equals(file)) {
            Paths.unlink(path);
        }
    }

    /** Sets the group before the mode, so that nobody may connect in between who should not. */
    private static void restrict(final String path, final SocketAccess access) {
        if (access.group() != null) {
            changeGroup(Path.of(path), access.group());
        }
        PosixException.check(Paths.chmod(path, access.mode()), "chmod of " + path);
    }

    private static void changeGroup(final Path path, final String group) {
        try {
            final GroupPrincipal principal =
                path.getFileSystem().getUserPrincipalLookupService().lookupPrincipalByGroupName(group);
            Files.getFileAttributeView(path, PosixFileAttributeView.class, LinkOption.NOFOLLOW_LINKS)
                .setGroup(principal);
        } catch (final UserPrincipalNotFoundException e) {
            throw new PosixException("no group '" + group + "' for " + path, Errno.EINVAL);
        } catch (final FileSystemException e) {
            throw new PosixException("chgrp of " + path + " to '" + group + "' (" + e.getReason() + ")", Errno.EPERM);
        } catch (final IOException e) {
            throw new PosixException("chgrp of " + path + " to '" + group + "' (" + e.getMessage() + ")", Errno.EIO);
        }
    }

    /** Whether there is a socket that nobody listens on. Anything else, such as a file of that name, is left alone. */
    private static boolean isAbandoned(final String path, final SocketAddress address) {
        try (OwnedFd probe = newSocket()) {
            return address.connect(probe.fd()) == -Errno.ECONNREFUSED && isSocket(path);
        }
    }

    private static boolean hasListener(final SocketAddress address) {
        try (OwnedFd probe = newSocket()) {
            final int result = address.connect(probe.fd());
            return result == 0 || result == -Errno.EAGAIN;
        }
    }

    private static boolean isSocket(final String path) {
        return Boolean.TRUE.equals(examine(path, 0, statx ->
            (statx.getShort(Constants.STATX_MODE_OFFSET) & Constants.S_IFMT) == Constants.S_IFSOCK));
    }

    /** What is at {@code path}; null when nothing is, or it cannot be examined. */
    private static FileId fileAt(final String path) {
        return examine(path, Constants.O_NOFOLLOW, statx -> new FileId(
            statx.getInt(Constants.STATX_DEV_MAJOR_OFFSET),
            statx.getInt(Constants.STATX_DEV_MINOR_OFFSET),
            statx.getLong(Constants.STATX_INO_OFFSET)));
    }

    private static <T> T examine(final String path, final int flags, final Function<DirectBuffer, T> question) {
        final int fd = Paths.open(path, Constants.O_PATH | Constants.O_CLOEXEC | flags);
        if (fd < 0) {
            return null;
        }
        try (OwnedFd opened = OwnedFd.of(fd); Memory statx = Memory.allocate(Constants.SIZEOF_STATX)) {
            final int result = Syscalls.statx(opened.fd(), 0, Constants.STATX_BASIC_STATS, statx.address());
            return result == 0 ? question.apply(statx.buffer()) : null;
        }
    }

    private static OwnedFd newSocket() {
        return OwnedFd.of(PosixException.check(
            Syscalls.socket(
                Constants.AF_UNIX, Constants.SOCK_STREAM | Constants.SOCK_CLOEXEC | Constants.SOCK_NONBLOCK, 0),
            "socket(AF_UNIX)"));
    }
}
