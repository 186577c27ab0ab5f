/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.fuse;

import io.vsockproxy.posix.SplicePipe;

/**
 * Sends the answers of a mount's requests. After the end of the mount each does nothing.
 */
interface FuseReplies {
    /** An error, or 0 for success with nothing to say. */
    void error(long unique, int errno);

    /** The bytes of a read. */
    void data(long unique, long address, int length);

    /** Puts into {@code pipe} what is to be in front of {@code length} bytes of a read; false if they cannot come. */
    boolean beginSplice(long unique, SplicePipe pipe, int length);

    /** The bytes of a read, with that in front of them; what cannot be sent stays in the pipe. */
    void spliced(long unique, SplicePipe pipe);

    /** The outcome of a write. */
    void written(long unique, int length);

    /** What a poll has found: events of poll(2). */
    void polled(long unique, int events);

    /** A file's attributes, which are those of {@code node} now. */
    void attributes(long unique, FuseNode node);

    /** The attributes of a file that is to be opened are known, or cannot be. */
    void examined(FuseNode node);

    /** The backend has answered: the request may be used again. */
    void ended(FuseRequest request);
}
