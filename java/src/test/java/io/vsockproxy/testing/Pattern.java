/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.testing;

import java.util.Random;

/**
 * Bytes that show when one of them is missing, repeated or moved.
 */
public final class Pattern {
    private Pattern() {
    }

    /** {@code length} bytes, the same for the same seed. */
    public static byte[] bytes(final long seed, final int length) {
        final byte[] bytes = new byte[length];
        new Random(seed).nextBytes(bytes);
        return bytes;
    }
}
