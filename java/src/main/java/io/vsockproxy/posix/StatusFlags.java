/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.posix;

/**
 * File status flags (F_GETFL, F_SETFL), which everybody shares who has the same open file description.
 */
public final class StatusFlags {
    private StatusFlags() {
    }

    /** Adds O_NONBLOCK. */
    public static void setNonBlocking(final int fd) {
        Syscalls.fcntl(fd, Constants.F_SETFL, Syscalls.fcntl(fd, Constants.F_GETFL, 0) | Constants.O_NONBLOCK);
    }
}
