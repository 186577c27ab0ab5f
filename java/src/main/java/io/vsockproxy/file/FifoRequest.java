/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.file;

import io.vsockproxy.posix.Memory;

/**
 * A waiting read or write of a {@link LocalFifo}. Pooled: reused once it has been answered.
 */
final class FifoRequest {
    LocalFifo fifo;
    long cookie;
    /** How many bytes are to be read or written in all. */
    int length;
    /** Of a read: whether it waits only for room on the link, and not for bytes. */
    boolean nonBlocking;
    /** The bytes that are still to be written; null for a read. */
    Memory data;
    /** Of a write, how many bytes have been written. */
    int written;
    /** How many of those had been written before the rest was copied to {@link #data}. */
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
     * @param alreadyWritten how many of the bytes have been written; they are not in {@code newData}.
     * @param newData        the other bytes, in a buffer from the pool.
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

    /** Resets everything for the next use. */
    FifoRequest clear() {
        fifo = null;
        data = null;
        nonBlocking = false;
        written = 0;
        base = 0;
        return this;
    }

    /** How many bytes are still to be written. */
    int left() {
        return length - written;
    }

    /** The address of the first of them. */
    long address() {
        return data.address(written - base, left());
    }

    /** How many bytes were copied to {@link #data}; 0 for a read. */
    int keptLength() {
        return data == null ? 0 : length - base;
    }
}
