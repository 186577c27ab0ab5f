/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.file;

import io.vsockproxy.config.SessionLimits;

/**
 * What one peer's file requests may use up, and from which length on reads are answered from a mapping. Lengths are in
 * bytes.
 *
 * @param maxRequests          unanswered requests; a further one is answered with EAGAIN.
 * @param maxReadLength        a longer read is shortened to this.
 * @param maxPendingWriteLength bytes of writes that wait for a worker; a write beyond them is answered with EAGAIN.
 * @param maxReadBufferLength  bytes of buffers for reads that need a worker; such a read beyond them waits. One is
 *                             always allowed its buffer, however long it is.
 * @param minMappedDiskRead    from this length on, reads of files on disk are answered from the mapped file.
 * @param minMappedMemoryRead  the same for tmpfs, memfd and ramfs.
 * @param passesBeforeMapping  how many times over a file must have been read by copying before it is mapped: faulting a
 *                             page in costs more than copying it once.
 */
public record FileLimits(
    int maxRequests,
    int maxReadLength,
    long maxPendingWriteLength,
    long maxReadBufferLength,
    int minMappedDiskRead,
    int minMappedMemoryRead,
    int passesBeforeMapping) {

    /** A minimum length that no read reaches. */
    public static final int NEVER_MAPPED = Integer.MAX_VALUE;

    /**
     * The defaults. The minimum lengths for mapping come from {@code FileReadBenchmark} in bench/: a file of 256 MiB on
     * Linux 6.18, two busy processors, medians of six; microseconds on the wall, and of the sender's processor.
     *
     * <pre>
     *                    copied        mapped    mapped, first use   send alone
     *   ext4    64 KiB    20  12       15  12       24  22             9   5
     *          128 KiB    29  22       25  20       44  41            16   8
     *          256 KiB    52  35       44  37       82  45            29  14
     *            1 MiB   191 131      167 133      335 162           111  51
     *   tmpfs   64 KiB    22  13       15  12       27  25             9   5
     *          128 KiB    32  20       27  20       45  38            16   8
     *          256 KiB    60  41       44  36       91  48            30  14
     *            1 MiB   216 164      168 143      335 175           139  50
     * </pre>
     *
     * <p>So a mapped answer takes about as much processor time as a copied one, and arrives 12 to 27 % earlier; but
     * faulting the pages in, the first time, costs more than that saves. Below 64 KiB copying is cheaper (4 KiB: 3.5
     * against 4.5). The minimum lengths are set where the gain is beyond doubt on both file systems.
     */
    public static final FileLimits DEFAULTS =
        new FileLimits(4096, 1 << 20, 32L << 20, 8L << 20, 128 << 10, 128 << 10, 1);

    /** The file limits that follow from {@code limits}; everything else is as in {@link #DEFAULTS}. */
    public static FileLimits of(final SessionLimits limits) {
        return DEFAULTS
            .withMaxRequests(limits.maxPendingFileRequests())
            .withMaxReadLength(Math.min(limits.maxFileReadLength(), limits.maxPacketLength()))
            .withMaxPendingWriteLength(limits.maxPendingFileWriteLength());
    }

    /** These limits with another number of requests. */
    public FileLimits withMaxRequests(final int count) {
        return new FileLimits(count, maxReadLength, maxPendingWriteLength, maxReadBufferLength, minMappedDiskRead,
            minMappedMemoryRead, passesBeforeMapping);
    }

    /** These limits with another length of reads. */
    public FileLimits withMaxReadLength(final int length) {
        return new FileLimits(maxRequests, length, maxPendingWriteLength, maxReadBufferLength, minMappedDiskRead,
            minMappedMemoryRead, passesBeforeMapping);
    }

    /** These limits with another number of pending bytes of writes. */
    public FileLimits withMaxPendingWriteLength(final long length) {
        return new FileLimits(maxRequests, maxReadLength, length, maxReadBufferLength, minMappedDiskRead,
            minMappedMemoryRead, passesBeforeMapping);
    }

    /** These limits with another number of bytes of read buffers. */
    public FileLimits withMaxReadBufferLength(final long length) {
        return new FileLimits(maxRequests, maxReadLength, maxPendingWriteLength, length, minMappedDiskRead,
            minMappedMemoryRead, passesBeforeMapping);
    }

    /** These limits with other conditions for mapping. */
    public FileLimits withMapping(final int minDiskRead, final int minMemoryRead, final int passes) {
        return new FileLimits(maxRequests, maxReadLength, maxPendingWriteLength, maxReadBufferLength, minDiskRead,
            minMemoryRead, passes);
    }
}
