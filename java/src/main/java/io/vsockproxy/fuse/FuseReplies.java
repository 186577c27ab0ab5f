/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.fuse;

/**
 * Sends the answers of a mount's requests. After the end of the mount each does nothing.
 */
interface FuseReplies {
    /** An error, or 0 for success with nothing to say. */
    void error(long unique, int errno);

    /** The bytes of a read. */
    void data(long unique, long address, int length);

    /** The outcome of a write. */
    void written(long unique, int length);

    /** A file's attributes, which are those of {@code node} now. */
    void attributes(long unique, FuseNode node);

    /** The attributes of a file that is to be opened are known, or cannot be. */
    void examined(FuseNode node);

    /** The backend has answered: the request may be used again. */
    void ended(FuseRequest request);
}
