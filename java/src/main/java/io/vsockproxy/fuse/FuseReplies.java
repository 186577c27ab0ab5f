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

    /** A file's attributes. */
    void attributes(long unique, FuseNode node, long size);

    /** The size of a file that is to be opened. */
    void sized(FuseNode node, long size);

    /** The backend has answered: the request may be used again. */
    void ended(FuseRequest request);
}
