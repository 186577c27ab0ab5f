/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.demo;

/**
 * Something arrived wrong or not at all.
 */
public class DemoException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    /** Says what was wrong. */
    public DemoException(final String message) {
        super(message);
    }

    /** Says what was wrong, and why. */
    public DemoException(final String message, final Throwable cause) {
        super(message, cause);
    }
}
