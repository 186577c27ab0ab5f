/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.demo;

/**
 * What came is not what was sent.
 */
final class WrongByteException extends DemoException {
    private static final long serialVersionUID = 1L;

    private final boolean earlyEnd;

    /**
     * @param earlyEnd whether all that came was right, but bytes are missing at the end.
     */
    WrongByteException(final String message, final boolean earlyEnd) {
        super(message);
        this.earlyEnd = earlyEnd;
    }

    boolean isEarlyEnd() {
        return earlyEnd;
    }
}
