/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.file;

import io.vsockproxy.posix.FileAttributes;

/**
 * Where the answers to file requests go: the session that asked. Each request gets exactly one answer, unless the
 * session ends. None of these methods throws. On the loop's thread.
 */
public interface FileResponses {
    /**
     * Claims room for the answer to a read. The claim must be ended by {@link #commitRead} or {@link #abortRead}.
     *
     * @return whether {@code length} bytes may be read to {@link #readAddress}. If not, {@link FileServer#onRoom} will
     *     be called when there is room again.
     */
    boolean claimRead(int length);

    /** The address to which the bytes are to be read. */
    long readAddress();

    /** Answers the read with the {@code length} bytes at {@link #readAddress}; 0 at the end of the file. */
    void commitRead(long cookie, int length);

    /** Ends the claim without an answer. */
    void abortRead();

    /**
     * Answers a read with bytes that stay where they lie until they have been sent.
     *
     * @param bytes the bytes. If this returns true, they will be released, possibly before it returns.
     * @return false when there is no room; {@link FileServer#onRoom} will be called when there is.
     */
    boolean sendRead(long cookie, FileBytes bytes);

    /** Answers a read that has failed, or, with {@code errno} 0, has found nothing. */
    void readWithoutData(long cookie, int errno);

    /** Answers a write that has failed or, with {@code errno} 0, has been done. */
    void written(long cookie, int errno, long bytes);

    /**
     * Answers a request for the attributes, which are known if {@code errno} is 0.
     *
     * @param attributes the attributes, borrowed for this call only.
     */
    void examined(long cookie, int errno, FileAttributes attributes);

    /** Answers a truncation that has failed or, with {@code errno} 0, has been done. */
    void truncated(long cookie, int errno);
}
