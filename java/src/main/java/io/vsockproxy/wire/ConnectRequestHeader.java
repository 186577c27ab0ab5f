/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.wire;

import org.agrona.DirectBuffer;
import org.agrona.MutableDirectBuffer;

/**
 * A ConnectRequest frame up to its early data. Without any, which is all that peers without the extension understand,
 * it is the whole frame.
 *
 * <pre>
 *    offset                                                                                 offset + length
 *   +----------+------+--------+------+--------+------+--------+------------+------+--------+-----------------+
 *   | size     | 0x1a | length | 0x08 | cookie | 0x12 | length | path       | 0x52 | length | early data      |
 *   +----------+------+--------+------+--------+------+--------+------------+------+--------+-----------------+
 *     8 bytes    1      1..5     1      1..10    1      1..5     pathLength   1      1..2     earlyLength
 * </pre>
 */
public final class ConnectRequestHeader {
    /**
     * The most early data, in bytes: enough for most requests, and little to keep while the connection is being made.
     */
    public static final int MAX_EARLY_LENGTH = 4096;

    private static final int COOKIE = 1;
    private static final int PATH = 2;

    private ConnectRequestHeader() {
    }

    /** Bytes of the header, from the frame's first byte up to {@code earlyLength} bytes of early data. */
    public static int length(final long cookie, final int pathLength, final int earlyLength) {
        final int fieldsLength = fieldsLength(cookie, pathLength, earlyLength);
        return Field.frameStartLength(fieldsLength + earlyLength) + fieldsLength;
    }

    /**
     * Writes the header at {@code offset}.
     *
     * @param path        the whole buffer: UTF-8, or the peer rejects the message and the session ends. Not checked
     *                    here.
     * @param earlyLength bytes of early data, up to {@link #MAX_EARLY_LENGTH}; when 0, their field is left out.
     * @return the header's length in bytes.
     */
    public static int encode(
        final MutableDirectBuffer buffer,
        final int offset,
        final long cookie,
        final DirectBuffer path,
        final int earlyLength) {
        if (earlyLength < 0 || earlyLength > MAX_EARLY_LENGTH) {
            throw new IllegalArgumentException("earlyLength=" + earlyLength + ", max=" + MAX_EARLY_LENGTH);
        }
        final int pathLength = path.capacity();
        final int messageLength = fieldsLength(cookie, pathLength, earlyLength) + earlyLength;
        int position = Field.putFrameStart(buffer, offset, Command.CONNECT_REQUEST, messageLength);
        position = Field.putVarint(buffer, position, COOKIE, cookie);
        position = Field.putPrefix(buffer, position, PATH, pathLength);
        buffer.putBytes(position, path, 0, pathLength);
        position = Field.putPrefix(buffer, position + pathLength, MessageLayout.EARLY_DATA_FIELD, earlyLength);
        return position - offset;
    }

    private static int fieldsLength(final long cookie, final int pathLength, final int earlyLength) {
        return Field.varintLength(cookie) + Field.prefixLength(pathLength) + pathLength
            + Field.prefixLength(earlyLength);
    }
}
