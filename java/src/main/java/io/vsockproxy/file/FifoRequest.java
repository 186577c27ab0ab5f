/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.file;

import io.vsockproxy.posix.Memory;

/**
 * A read or a write of a {@link LocalFifo} that waits. Pooled: used again for another when it is over.
 */
final class FifoRequest {
    LocalFifo fifo;
    long cookie;
    /** Bytes wanted, or to be written. */
    int length;
    /** Whether it waits for nothing but room for its answer. */
    boolean nonBlocking;
    /** What is to be written; null for a read. */
    Memory data;
    /** Of a write, how much was written before {@link #data}'s first byte, and since then. */
    int written;
    private int base;

    FifoRequest read(
        final LocalFifo newFifo, final long newCookie, final int newLength, final boolean isNonBlocking) {
        fifo = newFifo;
        cookie = newCookie;
        length = newLength;
        nonBlocking = isNonBlocking;
        return this;
    }

    /**
     * @param alreadyWritten bytes that are not in {@code newData} any more.
     * @param newData        what is left to be written.
     */
    FifoRequest write(
        final LocalFifo newFifo,
        final long newCookie,
        final int newLength,
        final int alreadyWritten,
        final Memory newData) {
        fifo = newFifo;
        cookie = newCookie;
        length = newLength;
        written = alreadyWritten;
        base = alreadyWritten;
        data = newData;
        return this;
    }

    /** Refers to nothing any more. */
    FifoRequest clear() {
        fifo = null;
        data = null;
        nonBlocking = false;
        written = 0;
        base = 0;
        return this;
    }

    /** Bytes that are still to be written. */
    int left() {
        return length - written;
    }

    /** The first of them. */
    long address() {
        return data.address(written - base, left());
    }

    /** Bytes that were kept for it. */
    int keptLength() {
        return data == null ? 0 : length - base;
    }
}
