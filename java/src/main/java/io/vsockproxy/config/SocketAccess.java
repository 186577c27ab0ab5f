/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.config;

/**
 * Who may connect to the unix sockets that a proxy listens on: connecting needs permission to write (unix(7)).
 *
 * @param mode  permission bits, 0 to 0777; the umask does not apply.
 * @param group name of the group that is to own the sockets; null for the process's own.
 */
public record SocketAccess(int mode, String group) {
    /** The process's own user and group, and nobody else: 0660. */
    public static final SocketAccess DEFAULT = new SocketAccess(0660, null);

    private static final int ALL_PERMISSIONS = 0777;

    /**
     * Checks the mode.
     *
     * @throws IllegalArgumentException when other bits are set.
     */
    public SocketAccess {
        if ((mode & ~ALL_PERMISSIONS) != 0) {
            throw new IllegalArgumentException("socket mode 0" + Integer.toOctalString(mode)
                + " has bits other than the permissions 0" + Integer.toOctalString(ALL_PERMISSIONS));
        }
    }
}
