/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.socket;

import io.vsockproxy.posix.Errno;
import io.vsockproxy.posix.Paths;
import io.vsockproxy.posix.PosixException;
import java.io.IOException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.attribute.GroupPrincipal;
import java.nio.file.attribute.PosixFileAttributeView;
import java.nio.file.attribute.UserPrincipalNotFoundException;

/**
 * Who may connect to the unix sockets that a proxy listens on: connecting needs permission to write (unix(7)).
 *
 * @param mode  permission bits, whatever the umask is.
 * @param group name of the group that owns the sockets; null leaves the process's.
 */
public record SocketAccess(int mode, String group) {
    /** The process's user and group, and nobody else. */
    public static final SocketAccess DEFAULT = new SocketAccess(0660, null);

    private static final int ALL_PERMISSIONS = 0777;

    /**
     * Checks the mode.
     *
     * @throws IllegalArgumentException when it has more than permission bits.
     */
    public SocketAccess {
        if ((mode & ~ALL_PERMISSIONS) != 0) {
            throw new IllegalArgumentException("socket mode 0" + Integer.toOctalString(mode)
                + " has more than the permissions 0" + Integer.toOctalString(ALL_PERMISSIONS));
        }
    }

    /**
     * Gives the socket at {@code path} its group, and then its mode: at no time may more connect than should.
     *
     * @throws PosixException when that is not allowed (EPERM), or there is no such group (EINVAL).
     */
    void apply(final String path) {
        if (group != null) {
            changeGroup(Path.of(path));
        }
        PosixException.check(Paths.chmod(path, mode), "chmod of " + path);
    }

    private void changeGroup(final Path path) {
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
}
