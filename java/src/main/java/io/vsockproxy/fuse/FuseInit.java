/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.fuse;

import org.agrona.DirectBuffer;
import org.agrona.MutableDirectBuffer;

/**
 * The layouts of the handshake: {@code struct fuse_init_in} and {@code struct fuse_init_out}.
 *
 * <pre>
 *   in   0        4        8        12       16                20                64
 *       +--------+--------+--------+--------+-----------------+-----------------+
 *       | major  | minor  | max    | flags  | flags2          | unused          |  before 7.36: 16 bytes
 *       |        |        | readah.|        | with INIT_EXT   |                 |
 *       +--------+--------+--------+--------+-----------------+-----------------+
 *   out  0        4        8        12       16       18       20      24      28       30      32       36       64
 *       +--------+--------+--------+--------+--------+--------+-------+-------+--------+-------+--------+--------+
 *       | major  | minor  | max    | flags  | max    | congest| max   | time  | max    | map   | flags2 | unused |
 *       |        |        | readah.|        | backgr.| thresh.| write | gran  | pages  | align |        |        |
 *       +--------+--------+--------+--------+--------+--------+-------+-------+--------+-------+--------+--------+
 * </pre>
 */
final class FuseInit {
    /** The least that any kernel sends, in bytes. */
    static final int MIN_IN_LENGTH = 16;
    static final int OUT_LENGTH = 64;

    private static final int IN_LENGTH_WITH_FLAGS2 = 20;

    private FuseInit() {
    }

    static int major(final DirectBuffer buffer, final int offset) {
        return buffer.getInt(offset);
    }

    static int minor(final DirectBuffer buffer, final int offset) {
        return buffer.getInt(offset + 4);
    }

    /** The most bytes that the kernel would read ahead. */
    static int maxReadahead(final DirectBuffer buffer, final int offset) {
        return buffer.getInt(offset + 8);
    }

    /**
     * All flags the kernel offers, with flags2 in the upper half.
     *
     * @param length the length of the arguments in bytes; old kernels send fewer.
     */
    static long flags(final DirectBuffer buffer, final int offset, final int length) {
        final long flags = buffer.getInt(offset + 12) & 0xFFFF_FFFFL;
        if ((flags & FuseProtocol.FUSE_INIT_EXT) == 0 || length < IN_LENGTH_WITH_FLAGS2) {
            return flags;
        }
        return flags | ((long) buffer.getInt(offset + 16) << 32);
    }

    /**
     * @param maxBackground how many requests that nobody waits for (readahead, asynchronous I/O) may be in flight; an
     *                      uint16.
     * @param maxWrite      the most bytes of data in one write.
     * @param maxPages      the most pages of data in one request.
     */
    static void putOut(
        final MutableDirectBuffer buffer,
        final int offset,
        final int minor,
        final int maxReadahead,
        final long flags,
        final int maxBackground,
        final int maxWrite,
        final int maxPages) {
        buffer.setMemory(offset, OUT_LENGTH, (byte) 0);
        buffer.putInt(offset, FuseProtocol.MAJOR_VERSION);
        buffer.putInt(offset + 4, minor);
        buffer.putInt(offset + 8, maxReadahead);
        buffer.putInt(offset + 12, (int) flags);
        buffer.putShort(offset + 16, (short) maxBackground);
        buffer.putShort(offset + 18, (short) (maxBackground / 4 * 3));
        buffer.putInt(offset + 20, maxWrite);
        buffer.putInt(offset + 24, 1);
        buffer.putShort(offset + 28, (short) maxPages);
        buffer.putInt(offset + 32, (int) (flags >>> 32));
    }
}
