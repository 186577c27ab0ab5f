/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.wire;

import java.nio.ByteOrder;
import org.agrona.DirectBuffer;
import org.agrona.MutableDirectBuffer;

/**
 * The layout of a frame: a size, then that many bytes of one serialized {@code VSockMessage}.
 *
 * <pre>
 *    0                                       8                                8 + size
 *   +---------------------------------------+-----+--------+-- - - - - - - --+
 *   | size of the body: uint64, LE          | tag | length | fields ...      |   next frame, with no gap
 *   +---------------------------------------+-----+--------+-- - - - - - - --+
 *                                           |  the body: one command         |
 * </pre>
 */
public final class FrameDescriptor {
    /** Bytes of the size in front of a body. */
    public static final int SIZE_LENGTH = 8;

    private FrameDescriptor() {
    }

    /**
     * The length of the body, in bytes, of the frame at {@code offset}.
     *
     * @return an unsigned 64-bit number, whatever the peer has sent: a negative one is 2^63 or more.
     */
    public static long bodyLength(final DirectBuffer buffer, final int offset) {
        return buffer.getLong(offset, ByteOrder.LITTLE_ENDIAN);
    }

    /** Writes the length of the body, in bytes, of the frame at {@code offset}. */
    public static void bodyLength(final MutableDirectBuffer buffer, final int offset, final long length) {
        buffer.putLong(offset, length, ByteOrder.LITTLE_ENDIAN);
    }
}
