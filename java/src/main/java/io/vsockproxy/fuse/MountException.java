/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.fuse;

/**
 * Mounting failed; the message says why, and what to do about it.
 */
public final class MountException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    MountException(final String message) {
        super(message);
    }

    MountException(final String message, final Throwable cause) {
        super(message, cause);
    }
}
