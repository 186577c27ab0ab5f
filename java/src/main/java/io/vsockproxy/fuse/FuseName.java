/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.fuse;

import org.agrona.DirectBuffer;

/**
 * The name that a file has from its creation until it has been opened: 128 random bits as 32 hexadecimal digits. Nobody
 * else can guess it.
 *
 * @param high the first 16 digits.
 * @param low  the last 16 digits.
 */
record FuseName(long high, long low) {
    /** Number of digits in a name. */
    static final int LENGTH = 32;

    private static final int HALF = LENGTH / 2;
    private static final int BITS_PER_DIGIT = 4;
    private static final int NOT_A_DIGIT = -1;

    /**
     * Parses a name that ends with a NUL within the {@code length} bytes at {@code offset}.
     *
     * @return null if it is not such a name.
     */
    static FuseName parse(final DirectBuffer buffer, final int offset, final int length) {
        if (length < LENGTH + 1 || buffer.getByte(offset + LENGTH) != 0) {
            return null;
        }
        long high = 0;
        long low = 0;
        for (int i = 0; i < LENGTH; i++) {
            final int digit = digit(buffer.getByte(offset + i));
            if (digit == NOT_A_DIGIT) {
                return null;
            }
            if (i < HALF) {
                high = (high << BITS_PER_DIGIT) | digit;
            } else {
                low = (low << BITS_PER_DIGIT) | digit;
            }
        }
        return new FuseName(high, low);
    }

    @Override
    public String toString() {
        return String.format("%016x%016x", high, low);
    }

    private static int digit(final byte character) {
        if (character >= '0' && character <= '9') {
            return character - '0';
        }
        return character >= 'a' && character <= 'f' ? character - 'a' + 10 : NOT_A_DIGIT;
    }
}
