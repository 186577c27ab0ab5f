/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.file;

/**
 * What one peer's file requests may use up, and where reads take which way. Lengths are bytes.
 *
 * @param maxRequests          requests not yet answered; one more is answered EAGAIN.
 * @param maxReadLength        a longer read is served short.
 * @param maxPendingWriteLength bytes of writes that wait for a worker; a write beyond them is answered EAGAIN.
 * @param maxReadBufferLength  bytes of buffers for cold reads; a cold read beyond them waits, whatever its length one
 *                             may always have its buffer.
 * @param minMappedDiskRead    from this length on, reads of disk file systems are answered from the mapped file.
 * @param minMappedMemoryRead  the same for tmpfs, memfd and ramfs.
 * @param passesBeforeMapping  how many times over a file has to have been read by copying before it is mapped: faulting
 *                             a page in costs more than copying it once.
 */
public record FileLimits(
    int maxRequests,
    int maxReadLength,
    long maxPendingWriteLength,
    long maxReadBufferLength,
    int minMappedDiskRead,
    int minMappedMemoryRead,
    int passesBeforeMapping) {

    /** A border that no read reaches. */
    public static final int NEVER_MAPPED = Integer.MAX_VALUE;

    /** The defaults. The borders are what {@code FileReadBenchmark} in bench/ found; its figures are in the class. */
    public static final FileLimits DEFAULTS =
        new FileLimits(4096, 1 << 20, 32L << 20, 8L << 20, NEVER_MAPPED, 128 << 10, 1);

    /** These, for so many requests. */
    public FileLimits withMaxRequests(final int count) {
        return new FileLimits(count, maxReadLength, maxPendingWriteLength, maxReadBufferLength, minMappedDiskRead,
            minMappedMemoryRead, passesBeforeMapping);
    }

    /** These, for reads of such length. */
    public FileLimits withMaxReadLength(final int length) {
        return new FileLimits(maxRequests, length, maxPendingWriteLength, maxReadBufferLength, minMappedDiskRead,
            minMappedMemoryRead, passesBeforeMapping);
    }

    /** These, for so many bytes of writes. */
    public FileLimits withMaxPendingWriteLength(final long length) {
        return new FileLimits(maxRequests, maxReadLength, length, maxReadBufferLength, minMappedDiskRead,
            minMappedMemoryRead, passesBeforeMapping);
    }

    /** These, for so many bytes of cold reads. */
    public FileLimits withMaxReadBufferLength(final long length) {
        return new FileLimits(maxRequests, maxReadLength, maxPendingWriteLength, length, minMappedDiskRead,
            minMappedMemoryRead, passesBeforeMapping);
    }

    /** These, with other borders. */
    public FileLimits withMapping(final int minDiskRead, final int minMemoryRead, final int passes) {
        return new FileLimits(maxRequests, maxReadLength, maxPendingWriteLength, maxReadBufferLength, minDiskRead,
            minMemoryRead, passes);
    }
}
