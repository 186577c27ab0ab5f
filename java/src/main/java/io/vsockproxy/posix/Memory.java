/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.posix;

import org.agrona.concurrent.UnsafeBuffer;

/**
 * A region of anonymous off-heap memory with a known address, unmapped by {@link #close}.
 *
 * <p>Pages are zero and take no memory until they are touched, so a region may be large and rarely used. As thread-safe
 * as its buffer; {@link #close} must come after the last use by any thread.
 */
public final class Memory implements AutoCloseable {
    private final UnsafeBuffer buffer;
    private long address;

    private Memory(final long address, final int length) {
        this.address = address;
        this.buffer = new UnsafeBuffer(address, length);
    }

    /**
     * Maps {@code length} bytes.
     *
     * @throws PosixException when the kernel refuses.
     */
    public static Memory allocate(final int length) {
        final long address = Syscalls.mmap(
            0, length, Constants.PROT_READ | Constants.PROT_WRITE,
            Constants.MAP_PRIVATE | Constants.MAP_ANONYMOUS | Constants.MAP_NORESERVE, -1, 0);
        if (Errno.isError(address)) {
            throw new PosixException("mmap of " + length + " bytes", (int) -address);
        }
        return new Memory(address, length);
    }

    /** The region; every access is bounds-checked. */
    public UnsafeBuffer buffer() {
        return buffer;
    }

    /** Size in bytes. */
    public int length() {
        return buffer.capacity();
    }

    /** The address of the first byte. */
    public long address() {
        return address;
    }

    /**
     * The address of {@code offset}, checked for {@code length} bytes.
     *
     * @throws IndexOutOfBoundsException when they do not lie inside the region.
     */
    public long address(final int offset, final int length) {
        buffer.boundsCheck(offset, length);
        return address + offset;
    }

    /** Gives the pages in {@code [offset, offset + length)} back to the kernel; they read as zero afterwards. */
    public void release(final int offset, final int length) {
        Syscalls.madvise(address(offset, length), length, Constants.MADV_DONTNEED);
    }

    @Override
    public void close() {
        if (address != 0) {
            Syscalls.munmap(address, length());
            address = 0;
            buffer.wrap(0, 0);
        }
    }
}
