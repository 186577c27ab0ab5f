/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.file;

import io.vsockproxy.posix.Memory;

/**
 * A read or a write of a {@link LocalFifo} that waits.
 */
final class FifoRequest {
    final LocalFifo fifo;
    final long cookie;
    /** Bytes wanted, or to be written. */
    final int length;
    /** Whether it waits for nothing but room for its answer. */
    final boolean nonBlocking;
    /** What is to be written; null for a read. */
    final Memory data;
    /** Of a write, how much was written before {@link #data}'s first byte, and since then. */
    int written;
    boolean isOver;
    private final int base;

    FifoRequest(final LocalFifo fifo, final long cookie, final int length, final boolean nonBlocking) {
        this.fifo = fifo;
        this.cookie = cookie;
        this.length = length;
        this.nonBlocking = nonBlocking;
        data = null;
        base = 0;
    }

    FifoRequest(final LocalFifo fifo, final long cookie, final int length, final int written, final Memory data) {
        this.fifo = fifo;
        this.cookie = cookie;
        this.length = length;
        this.written = written;
        this.data = data;
        nonBlocking = false;
        base = written;
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
