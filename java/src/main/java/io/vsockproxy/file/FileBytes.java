/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.file;

/**
 * The bytes that a read has found, where they lie: in a mapped range of the file itself, or in a worker's buffer.
 *
 * <p>A mapped range can shrink at any moment, because anybody may truncate the file. So only system calls may read it:
 * they then fail with EFAULT, whereas Java code would crash. Confined to the loop's thread.
 */
public interface FileBytes {
    /** The address of the first byte. */
    long address();

    /** How many there were when the request was answered. */
    int length();

    /** How many of them a system call can read now: {@link #length}, fewer, or {@code -errno}. Does not block. */
    int readableLength();

    /** The bytes are not needed any more. To be called once. */
    void release();
}
