/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.posix;

import org.agrona.concurrent.UnsafeBuffer;

/**
 * The layout of {@code struct iovec}. A table of them passes several pieces of memory to one call.
 *
 * <pre>
 *    0                                       8                                      16
 *   +---------------------------------------+---------------------------------------+
 *   | iov_base: address                     | iov_len: bytes                        |   int64, native order
 *   +---------------------------------------+---------------------------------------+
 * </pre>
 */
public final class IoVec {
    /** Size of one entry, in bytes. {@link NativeLibrary} compares it with the C compiler's. */
    public static final int LENGTH = 16;

    private IoVec() {
    }

    /** Writes entry {@code index} of the table in {@code buffer}. */
    public static void set(final UnsafeBuffer buffer, final int index, final long address, final long length) {
        buffer.putLong(index * LENGTH, address);
        buffer.putLong(index * LENGTH + 8, length);
    }

    /** The address of entry {@code index}. */
    public static long address(final UnsafeBuffer buffer, final int index) {
        return buffer.getLong(index * LENGTH);
    }

    /** The length of entry {@code index}, in bytes. */
    public static long length(final UnsafeBuffer buffer, final int index) {
        return buffer.getLong(index * LENGTH + 8);
    }
}
