/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.file;

import io.vsockproxy.posix.Memory;
import io.vsockproxy.posix.PosixException;
import java.util.ArrayList;
import org.agrona.BitUtil;

/**
 * A pool of buffers for what workers read and write, in powers of two, so that no memory is mapped in steady operation.
 *
 * <p>The pool only bounds the free buffers; the caller must bound those in use. Confined to the loop's thread.
 */
final class BufferPool implements AutoCloseable {
    private static final int MIN_SHIFT = 12;
    private static final int MAX_SHIFT = 30;

    private final ArrayList<ArrayList<Memory>> free = new ArrayList<>();
    private final long maxFreeLength;
    private long freeLength;
    private boolean closed;

    /**
     * @param maxFreeLength how many bytes of free buffers to keep.
     */
    BufferPool(final long maxFreeLength) {
        this.maxFreeLength = maxFreeLength;
        for (int i = MIN_SHIFT; i <= MAX_SHIFT; i++) {
            free.add(new ArrayList<>());
        }
    }

    /** A buffer of at least {@code length} bytes with undefined contents; null when there is no memory. */
    Memory acquire(final int length) {
        final int index = indexFor(length);
        final ArrayList<Memory> ready = free.get(index);
        if (!ready.isEmpty()) {
            final Memory memory = ready.remove(ready.size() - 1);
            freeLength -= memory.length();
            return memory;
        }
        try {
            return Memory.allocate(1 << (index + MIN_SHIFT));
        } catch (final PosixException e) {
            return null;
        }
    }

    /** Takes a buffer back. */
    void release(final Memory memory) {
        if (closed || freeLength + memory.length() > maxFreeLength) {
            memory.close();
        } else {
            freeLength += memory.length();
            free.get(indexFor(memory.length())).add(memory);
        }
    }

    /** Frees the free buffers, and from now on each one that comes back. */
    @Override
    public void close() {
        closed = true;
        for (final ArrayList<Memory> ready : free) {
            ready.forEach(Memory::close);
            ready.clear();
        }
        freeLength = 0;
    }

    private static int indexFor(final int length) {
        final int rounded = BitUtil.findNextPositivePowerOfTwo(Math.max(length, 1 << MIN_SHIFT));
        return Integer.numberOfTrailingZeros(rounded) - MIN_SHIFT;
    }
}
