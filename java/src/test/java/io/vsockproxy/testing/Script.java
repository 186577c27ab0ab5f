/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.testing;

import java.io.ByteArrayOutputStream;
import java.util.Arrays;
import java.util.stream.Stream;

/**
 * A fuzzer's input, whose bytes make choices from front to back, so that a change late in the input changes no choice
 * before it. Beyond the end every byte is 0.
 */
public final class Script {
    /** Numbers around which things go wrong. */
    private static final long[] CORNERS = {
        0, 1, -1, 2, 7, 100, 127, 128, 4096, 65_535, 65_536, 1 << 20, Integer.MAX_VALUE, Integer.MIN_VALUE,
        1L << 31, 1L << 32, 1L << 40, Long.MAX_VALUE, Long.MIN_VALUE, Long.MAX_VALUE - 4096,
    };

    private final byte[] bytes;
    private int position;

    /** Of an input. */
    public Script(final byte[] bytes) {
        this.bytes = bytes;
    }

    /** Part of an input, with one byte for each number. */
    public static byte[] bytes(final int... values) {
        final byte[] bytes = new byte[values.length];
        for (int i = 0; i < values.length; i++) {
            bytes[i] = (byte) values[i];
        }
        return bytes;
    }

    /** An input of parts. */
    public static byte[] join(final byte[]... parts) {
        final ByteArrayOutputStream all = new ByteArrayOutputStream();
        Stream.of(parts).forEach(all::writeBytes);
        return all.toByteArray();
    }

    /** Whether all of it has been taken. */
    public boolean isOver() {
        return position >= bytes.length;
    }

    /** The next byte, unsigned. */
    public int next() {
        return isOver() ? 0 : bytes[position++] & 0xFF;
    }

    /** One of {@code count} numbers from 0 on, 256 at most. */
    public int choose(final int count) {
        return next() % count;
    }

    /** One in two. */
    public boolean flip() {
        return (next() & 1) != 0;
    }

    /** The next {@code count} bytes, or what is left of them. */
    public byte[] take(final int count) {
        final int from = Math.min(position, bytes.length);
        position = Math.min(bytes.length, from + count);
        return Arrays.copyOfRange(bytes, from, position);
    }

    /** Any number: one byte selects a corner case; after a 255, the next eight bytes are the number, little endian. */
    public long number() {
        final int first = next();
        if (first < 0xFF) {
            return CORNERS[first % CORNERS.length];
        }
        long value = 0;
        for (int i = 0; i < Long.BYTES; i++) {
            value |= (long) next() << (i * Byte.SIZE);
        }
        return value;
    }
}
