/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.session;

import io.vsockproxy.posix.Errno;

/**
 * Sanitises error numbers that peers send, which may be anything.
 */
final class PeerErrno {
    /**
     * If an answer has a greater one, the kernel's FUSE rejects the answer and leaves the request open for ever
     * (fs/fuse/dev.c).
     */
    private static final int MAX = 511;

    private PeerErrno() {
    }

    /** Returns {@code number}, which may be 0, or EIO when it cannot be an errno. */
    static int of(final int number) {
        return number < 0 || number > MAX ? Errno.EIO : number;
    }
}
