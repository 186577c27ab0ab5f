/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.wire;

import org.agrona.MutableDirectBuffer;

/**
 * The part in front of the blob of a PreadResponse without an error, written backwards from where the blob lies, or
 * would lie if it were not sent from elsewhere.
 *
 * <pre>
 *    frame                                                      blobOffset
 *   +----------+------+--------+------+--------+------+--------+-------------------+
 *   | size     | 0x32 | length | 0x08 | cookie | 0x1a | length | blob              |
 *   +----------+------+--------+------+--------+------+--------+-------------------+
 *     8 bytes    1      1..5     1      1..10    1      1..5     blobLength
 * </pre>
 */
public final class PreadResponseHeader {
    /** The longest header, in bytes: room to leave in front of a blob. */
    public static final int MAX_LENGTH = FrameDescriptor.SIZE_LENGTH + 1 + 5 + 1 + Varint.MAX_LENGTH + 1 + 5;

    private static final int COOKIE = 1;
    private static final int BLOB = 3;

    private PreadResponseHeader() {
    }

    /**
     * Writes the header so that it ends at {@code blobOffset}. An empty blob, which stands for the end of the file, is
     * left out; the header still ends there.
     *
     * @param blobLength bytes of the blob.
     * @return the offset of the frame's first byte.
     * @throws IndexOutOfBoundsException if there is no room in front of {@code blobOffset}.
     */
    public static int encodeBefore(
        final MutableDirectBuffer buffer, final int blobOffset, final long cookie, final int blobLength) {
        if (blobLength < 0) {
            throw new IllegalArgumentException("negative length: blobLength=" + blobLength);
        }
        int start = Field.putPrefixBefore(buffer, blobOffset, BLOB, blobLength);
        start = Field.putVarintBefore(buffer, start, COOKIE, cookie);
        return Field.putFrameStartBefore(
            buffer, start, Command.PREAD_RESPONSE, (long) blobOffset - start + blobLength);
    }
}
