/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.wire;

import java.nio.ByteOrder;
import org.agrona.MutableDirectBuffer;
import org.agrona.UnsafeApi;

/**
 * Protobuf's variable-length integers: seven bits to a byte, the lowest first, the top bit set on all but the last.
 *
 * <pre>
 *    300 = 0b10_0101100          1010 1100   0000 0010
 *                                |  44       |  2
 *                                more        last
 * </pre>
 *
 * <p>A negative value takes ten bytes. Every handle and cookie that a guest makes up is negative, so the long forms are
 * read and written eight bytes at a time.
 */
public final class Varint {
    /** The most bytes that a varint takes. */
    public static final int MAX_LENGTH = 10;

    /** The most bytes that a value of 32 bits takes, as unsigned. */
    static final int MAX_INT_LENGTH = 5;

    /** Result of {@link #end}: the limit comes before the last byte. */
    static final int TRUNCATED = -1;

    /** Result of {@link #end}: the tenth byte says that an eleventh follows. */
    static final int TOO_LONG = -2;

    private static final long CONTINUATION_BITS = 0x8080808080808080L;

    private Varint() {
    }

    /** How many bytes {@code value}, taken as unsigned, takes as a varint: 1 to {@link #MAX_LENGTH}. */
    public static int length(final long value) {
        // Short ones first: nearly all are, and code compiled by C1 has no instruction to count leading zeros.
        if ((value & ~0x3FFFL) == 0) {
            return value <= 0x7F ? 1 : 2;
        }
        // (bits + 6) / 7 for 1 to 64 bits.
        return ((Long.SIZE - Long.numberOfLeadingZeros(value)) * 9 + Long.SIZE) >>> 6;
    }

    /**
     * Writes {@code value}, taken as unsigned, in as few bytes as possible.
     *
     * @return the offset after it.
     */
    public static int put(final MutableDirectBuffer buffer, final int offset, final long value) {
        if (value < 0) {
            buffer.putLong(offset, spread(value) | CONTINUATION_BITS, ByteOrder.LITTLE_ENDIAN);
            buffer.putByte(offset + 8, (byte) ((value >>> 56) | 0x80));
            buffer.putByte(offset + 9, (byte) 1);
            return offset + MAX_LENGTH;
        }
        long rest = value;
        int position = offset;
        while (rest > 0x7F) {
            buffer.putByte(position++, (byte) (rest | 0x80));
            rest >>>= 7;
        }
        buffer.putByte(position++, (byte) rest);
        return position;
    }

    /**
     * Finds the end of the varint at {@code position}, reading nothing at {@code limit} or after. Positions count from
     * {@code address} in {@code base}, which is an array or null, as in {@link UnsafeApi}.
     *
     * @return the position after it, or {@link #TRUNCATED}, or {@link #TOO_LONG}.
     */
    static int end(final byte[] base, final long address, final int position, final int limit) {
        final int available = limit - position;
        int length = 0;
        if (available >= Long.BYTES) {
            final long last = ~UnsafeApi.getLongUnaligned(base, address + position, false) & CONTINUATION_BITS;
            if (last != 0) {
                return position + (Long.numberOfTrailingZeros(last) >>> 3) + 1;
            }
            length = Long.BYTES;
        }
        for (; length < MAX_LENGTH; length++) {
            if (length >= available) {
                return TRUNCATED;
            }
            if (UnsafeApi.getByte(base, address + position + length) >= 0) {
                return position + length + 1;
            }
        }
        return TOO_LONG;
    }

    /**
     * The value of the varint that fills {@code position} to {@code end}, as {@link #end} found it. What does not fit
     * into 64 bits is dropped.
     */
    static long get(final byte[] base, final long address, final int position, final int end) {
        int index = end - 1;
        long value = 0;
        if (end - position < Long.BYTES) {
            for (; index >= position; index--) {
                value = (value << 7) | (UnsafeApi.getByte(base, address + index) & 0x7F);
            }
            return value;
        }
        for (; index >= position + Long.BYTES; index--) {
            value = (value << 7) | (UnsafeApi.getByte(base, address + index) & 0x7F);
        }
        return (value << 56) | gather(UnsafeApi.getLongUnaligned(base, address + position, false));
    }

    /** Moves the low seven bits of eight bytes together, in three steps of halving the number of pieces. */
    private static long gather(final long bytes) {
        long value = (bytes & 0x007F007F007F007FL) | ((bytes & 0x7F007F007F007F00L) >>> 1);
        value = (value & 0x00003FFF00003FFFL) | ((value & 0x3FFF00003FFF0000L) >>> 2);
        return (value & 0x000000000FFFFFFFL) | ((value & 0x0FFFFFFF00000000L) >>> 4);
    }

    /** The reverse of {@link #gather}: the low 56 bits, seven to a byte. */
    private static long spread(final long value) {
        long bytes = (value & 0x000000000FFFFFFFL) | ((value & 0x00FFFFFFF0000000L) << 4);
        bytes = (bytes & 0x00003FFF00003FFFL) | ((bytes & 0x0FFFC0000FFFC000L) << 2);
        return (bytes & 0x007F007F007F007FL) | ((bytes & 0x3F803F803F803F80L) << 1);
    }
}
