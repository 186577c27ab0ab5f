/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.fuse;

import org.agrona.MutableDirectBuffer;

/**
 * The layout of the header of every answer: {@code struct fuse_out_header}.
 *
 * <pre>
 *    0        4        8                 16
 *   +--------+--------+-----------------+-- - - - -
 *   | len    | error  | unique          |  result, when error is 0
 *   +--------+--------+-----------------+-- - - - -
 * </pre>
 */
final class FuseOutHeader {
    static final int LENGTH = 16;

    private FuseOutHeader() {
    }

    /**
     * @param errno      0 or positive; sent to the kernel as its negative.
     * @param bodyLength length of the result in bytes; 0 with an error.
     */
    static void put(
        final MutableDirectBuffer buffer, final int offset, final long unique, final int errno, final int bodyLength) {
        buffer.putInt(offset, LENGTH + bodyLength);
        buffer.putInt(offset + 4, -errno);
        buffer.putLong(offset + 8, unique);
    }
}
