/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.file;

/**
 * What a read found, where it lies: in a mapped range of the file itself, or in a worker's buffer.
 *
 * <p>A mapped range can shrink at any moment, because anybody may cut the file: only system calls may read it, which
 * answer EFAULT then, where Java would die. Confined to the loop's thread.
 */
public interface FileBytes {
    /** The first byte. */
    long address();

    /** How many there were when the request was answered. */
    int length();

    /** How many of them a system call can read now: {@link #length}, fewer, or {@code -errno}. Does not block. */
    int readableLength();

    /** They are not needed any more. To be called once. */
    void release();
}
