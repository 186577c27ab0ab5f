/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.posix;

/**
 * A system call failed unexpectedly.
 */
public final class PosixException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    private final int errno;

    /**
     * @param action what was attempted, with its arguments: {@code "bind to /run/x.sock"}.
     * @param errno  positive.
     */
    public PosixException(final String action, final int errno) {
        super(action + ": " + Errno.name(errno));
        this.errno = errno;
    }

    /** The error number, positive. */
    public int errno() {
        return errno;
    }

    /**
     * Returns a call's result if it is not an error.
     *
     * @throws PosixException when {@code result} is {@code -errno}.
     */
    public static int check(final int result, final String action) {
        if (result < 0) {
            throw new PosixException(action, -result);
        }
        return result;
    }
}
