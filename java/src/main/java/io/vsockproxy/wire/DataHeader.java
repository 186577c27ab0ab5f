/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.wire;

import org.agrona.MutableDirectBuffer;

/**
 * The part of a Data frame in front of its blob, written backwards from where the blob already lies.
 *
 * <pre>
 *    frame                                                      blobOffset
 *   +----------+------+--------+------+--------+------+--------+-------------------+-- - - - - - - --+
 *   | size     | 0x12 | length | 0x08 | handle | 0x12 | length | blob              | transferred_fd  |
 *   +----------+------+--------+------+--------+------+--------+-------------------+-- - - - - - - --+
 *     8 bytes    1      1..5     1      1..10    1      1..5     blobLength          trailingLength
 * </pre>
 *
 * <p>The fields that follow the blob are the caller's to write: {@link MessageEncoder#putTransferredDescriptor}.
 */
public final class DataHeader {
    /** The longest header, in bytes: room to leave in front of a blob. */
    public static final int MAX_LENGTH = FrameDescriptor.SIZE_LENGTH + 1 + 5 + 1 + Varint.MAX_LENGTH + 1 + 5;

    private static final int HANDLE = 1;
    private static final int BLOB = 2;

    private DataHeader() {
    }

    /**
     * Writes the header so that it ends at {@code blobOffset}. An empty blob is left out, as proto3 does; the header
     * still ends there.
     *
     * @param blobLength     bytes of the blob.
     * @param trailingLength bytes of the fields that follow the blob.
     * @return the offset of the frame's first byte.
     * @throws IndexOutOfBoundsException if there is no room in front of {@code blobOffset}.
     */
    public static int encodeBefore(
        final MutableDirectBuffer buffer,
        final int blobOffset,
        final long handle,
        final int blobLength,
        final int trailingLength) {
        if ((blobLength | trailingLength) < 0) {
            throw new IllegalArgumentException(
                "negative length: blobLength=" + blobLength + ", trailingLength=" + trailingLength);
        }
        int start = Field.putPrefixBefore(buffer, blobOffset, BLOB, blobLength);
        start = Field.putVarintBefore(buffer, start, HANDLE, handle);
        return Field.putFrameStartBefore(
            buffer, start, Command.DATA, (long) blobOffset - start + blobLength + trailingLength);
    }
}
