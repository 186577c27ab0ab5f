/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.demo;

/**
 * The bytes that arrived are not those that were sent.
 */
final class WrongByteException extends DemoException {
    private static final long serialVersionUID = 1L;

    private final boolean earlyEnd;

    /**
     * @param earlyEnd whether everything that arrived was right, and only bytes at the end are missing.
     */
    WrongByteException(final String message, final boolean earlyEnd) {
        super(message);
        this.earlyEnd = earlyEnd;
    }

    boolean isEarlyEnd() {
        return earlyEnd;
    }
}
