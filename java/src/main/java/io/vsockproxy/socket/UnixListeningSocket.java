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
 * A listening unix socket. In the file system it is made, maybe in place of one that a dead process left, and removed
 * again; in the abstract namespace it goes when the descriptor is closed.
 *
 * @param path       as {@link SocketAddress#unix} takes it.
 * @param descriptor listens; whoever takes it owns it.
 * @param file       what it made in the file system; null when that could not be found out, or is nothing.
 */
public record UnixListeningSocket(String path, OwnedFd descriptor, FileId file) {
    private static final int BACKLOG = 512;

    /** Tells a file from another that is there at the same time. */
    record FileId(int deviceMajor, int deviceMinor, long inode) { }

    /**
     * Makes a socket and listens.
     *
     * @param access who may connect to it, which is of no effect in the abstract namespace: whoever is in this network
     *               namespace may.
     * @throws PosixException when that cannot be: EADDRINUSE while somebody else listens there, EACCES, ENOENT,
     *     EPERM; EINVAL: there is no such group.
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
            PosixException.check(result, "bind to " + path + (isOther ? " (which is there, and no socket)" : ""));
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
     * Removes the socket from the file system, unless somebody has put something else in its place; before
     * {@link #descriptor} is closed, which keeps the inode's number from being used again.
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

    /** Its group first, and then its mode: at no time may more connect than should. */
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

    /** Whether it is a socket that nobody listens on; anything else, like a file of that name, is left alone. */
    private static boolean isAbandoned(final String path, final SocketAddress address) {
        try (OwnedFd probe = newSocket()) {
            return address.connect(probe.fd()) == -Errno.ECONNREFUSED && isSocket(path);
        }
    }

    private static boolean isSocket(final String path) {
        return Boolean.TRUE.equals(examine(path, 0, statx ->
            (statx.getShort(Constants.STATX_MODE_OFFSET) & Constants.S_IFMT) == Constants.S_IFSOCK));
    }

    /** What is there; null when that cannot be found out, or nothing is. */
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
