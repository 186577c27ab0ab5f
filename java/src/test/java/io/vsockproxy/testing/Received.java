/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.testing;

import java.nio.charset.StandardCharsets;
import java.util.List;

/**
 * What one receive brought.
 */
public final class Received {
    private final byte[] bytes;
    private final List<Endpoint> descriptors;

    Received(final byte[] bytes, final List<Endpoint> descriptors) {
        this.bytes = bytes;
        this.descriptors = descriptors;
    }

    /** The bytes; none for an empty packet, and at the end. */
    public byte[] bytes() {
        return bytes;
    }

    /** The bytes as text. */
    public String text() {
        return new String(bytes, StandardCharsets.ISO_8859_1);
    }

    /** The descriptors that came along; the receiver's to close. */
    public List<Endpoint> descriptors() {
        return descriptors;
    }

    /** The one descriptor that came. */
    public Endpoint only() {
        if (descriptors.size() != 1) {
            throw new AssertionError("descriptors: expected=1, actual=" + descriptors.size());
        }
        return descriptors.get(0);
    }
}
