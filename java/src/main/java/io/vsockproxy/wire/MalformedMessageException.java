/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.wire;

/**
 * A peer has sent bytes that are no {@code VSockMessage}, or more descriptors than the limit: the session cannot go on.
 */
public final class MalformedMessageException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    private final int bodyOffset;

    MalformedMessageException(final String reason, final int bodyOffset) {
        super("malformed message: " + reason + ", at byte " + bodyOffset + " of the body");
        this.bodyOffset = bodyOffset;
    }

    /** Where the trouble starts, in bytes from the start of the body. */
    public int bodyOffset() {
        return bodyOffset;
    }
}
