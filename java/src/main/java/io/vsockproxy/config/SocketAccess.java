/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.config;

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
}
