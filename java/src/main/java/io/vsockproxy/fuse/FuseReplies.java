/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.fuse;

import io.vsockproxy.posix.SplicePipe;

/**
 * Sends the answers to a mount's requests. After the end of the mount every method does nothing.
 */
interface FuseReplies {
    /** An error; or, with 0, success without a result. */
    void error(long unique, int errno);

    /** The bytes of a read. */
    void data(long unique, long address, int length);

    /**
     * Writes to {@code pipe} what must precede {@code length} bytes of a read. Returns false if these cannot be sent
     * this way.
     */
    boolean beginSplice(long unique, SplicePipe pipe, int length);

    /**
     * The bytes of a read, in {@code pipe} behind what {@link #beginSplice} wrote. What cannot be sent stays in the
     * pipe.
     */
    void spliced(long unique, SplicePipe pipe);

    /** The outcome of a write. */
    void written(long unique, int length);

    /** The rest of a write-back is to be offered to its backend again. */
    void postponed(FuseRequest request);

    /** The outcome of a poll: events of poll(2). */
    void polled(long unique, int events);

    /** The attributes that {@code node} has now. */
    void attributes(long unique, FuseNode node);

    /** The attributes of a file to be opened are known, or cannot be. */
    void examined(FuseNode node);

    /** The backend has answered: the request can be reused, and so can the buffer that was kept for it. */
    void ended(FuseRequest request);
}
