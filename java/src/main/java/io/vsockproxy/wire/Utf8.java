/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.wire;

import org.agrona.UnsafeApi;

/**
 * Whether bytes are UTF-8 by Unicode's table 3-7: shortest forms only, no surrogates, nothing above U+10FFFF. A proto3
 * string must be, or whoever parses it rejects the whole message.
 */
final class Utf8 {
    private Utf8() {
    }

    /**
     * Finds the first sequence that is not UTF-8. Positions count from {@code address} in {@code base}, which is an
     * array or null, as in {@link UnsafeApi}.
     *
     * @return its position, or {@code end} if there is none.
     */
    static int firstInvalid(final byte[] base, final long address, final int start, final int end) {
        int position = start;
        while (position < end) {
            final int lead = UnsafeApi.getByte(base, address + position);
            final int length = lead >= 0 ? 1 : sequenceLength(base, address + position, lead & 0xFF, end - position);
            if (length == 0) {
                return position;
            }
            position += length;
        }
        return end;
    }

    /** The length of a sequence of more than one byte, or 0 if it is invalid or longer than {@code available}. */
    private static int sequenceLength(final byte[] base, final long address, final int lead, final int available) {
        final int length = lead < 0xC2 ? 0 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : lead < 0xF5 ? 4 : 0;
        if (length == 0 || length > available) {
            return 0;
        }
        // The second byte alone decides about long forms, surrogates and the upper end.
        final int second = UnsafeApi.getByte(base, address + 1) & 0xFF;
        final int lowest = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
        final int highest = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
        if (second < lowest || second > highest) {
            return 0;
        }
        for (int i = 2; i < length; i++) {
            if ((UnsafeApi.getByte(base, address + i) & 0xC0) != 0x80) {
                return 0;
            }
        }
        return length;
    }
}
