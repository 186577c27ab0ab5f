/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.session;

import io.vsockproxy.posix.Errno;

/**
 * Error numbers as peers give them, which may be anything.
 */
final class PeerErrno {
    /** The kernel's FUSE leaves a request open whose answer has a greater one, for ever (fs/fuse/dev.c). */
    private static final int MAX = 511;

    private PeerErrno() {
    }

    /** {@code number}, 0 included; EIO when no errno has it. */
    static int of(final int number) {
        return number < 0 || number > MAX ? Errno.EIO : number;
    }
}
