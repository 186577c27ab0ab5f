/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.wire;

import org.agrona.MutableDirectBuffer;

/**
 * The part of a PwriteRequest frame in front of its blob, written backwards from where the blob already lies.
 *
 * <pre>
 *    frame                                                                                    blobOffset
 *   +----------+------+--------+------+--------+------+--------+------+--------+------+--------+------------+
 *   | size     | 0x3a | length | 0x08 | cookie | 0x10 | handle | 0x20 | offset | 0x1a | length | blob       |
 *   +----------+------+--------+------+--------+------+--------+------+--------+------+--------+------------+
 *     8 bytes    1      1..5     1      1..10    1      1..10    1      1..10    1      1..5     blobLength
 * </pre>
 *
 * <p>The offset, field 4, comes before the blob, field 3. Protobuf's readers take fields in any order, and this one
 * lets the payload of a FUSE write stay where the kernel put it, with the frame complete at its last byte.
 */
public final class PwriteRequestHeader {
    /** The longest header, in bytes: room to leave in front of a blob. */
    public static final int MAX_LENGTH = FrameDescriptor.SIZE_LENGTH + 1 + 5 + 3 * (1 + Varint.MAX_LENGTH) + 1 + 5;

    private static final int COOKIE = 1;
    private static final int HANDLE = 2;
    private static final int BLOB = 3;
    private static final int FILE_OFFSET = 4;

    private PwriteRequestHeader() {
    }

    /**
     * Writes the header so that it ends at {@code blobOffset}. An empty blob is left out; the header still ends there.
     *
     * @param fileOffset where to write, in bytes, unsigned.
     * @param blobLength bytes of the blob.
     * @return the offset of the frame's first byte.
     * @throws IndexOutOfBoundsException if there is no room in front of {@code blobOffset}.
     */
    public static int encodeBefore(
        final MutableDirectBuffer buffer,
        final int blobOffset,
        final long cookie,
        final long handle,
        final long fileOffset,
        final int blobLength) {
        if (blobLength < 0) {
            throw new IllegalArgumentException("negative length: blobLength=" + blobLength);
        }
        int start = Field.putPrefixBefore(buffer, blobOffset, BLOB, blobLength);
        start = Field.putVarintBefore(buffer, start, FILE_OFFSET, fileOffset);
        start = Field.putVarintBefore(buffer, start, HANDLE, handle);
        start = Field.putVarintBefore(buffer, start, COOKIE, cookie);
        return Field.putFrameStartBefore(
            buffer, start, Command.PWRITE_REQUEST, (long) blobOffset - start + blobLength);
    }
}
