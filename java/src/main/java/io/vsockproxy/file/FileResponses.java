/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.file;

import io.vsockproxy.posix.FileAttributes;

/**
 * Where answers to file requests go: the session that asked. Each request gets exactly one, unless the session ends.
 * None of these methods throws.
 */
public interface FileResponses {
    /**
     * Finds room for the answer to a read; ended by {@link #commitRead} or {@link #abortRead}.
     *
     * @return whether {@code length} bytes may be read to {@link #readAddress}. If not, {@link FileServer#onRoom} is
     *     called when there is room again.
     */
    boolean claimRead(int length);

    /** Where the bytes go. */
    long readAddress();

    /** {@code length} bytes, 0 at the end of the file, are at {@link #readAddress}. */
    void commitRead(long cookie, int length);

    /** The claimed room is not needed. */
    void abortRead();

    /**
     * Answers a read with bytes that stay where they are until they have been sent.
     *
     * @param bytes released, maybe before this returns, if this answers true.
     * @return false when there is no room; {@link FileServer#onRoom} is called when there is again.
     */
    boolean sendRead(long cookie, FileBytes bytes);

    /** A read has found nothing, with {@code errno} 0, or failed. */
    void readWithoutData(long cookie, int errno);

    /** A write has been done, with {@code errno} 0, or failed. */
    void written(long cookie, int errno, long bytes);

    /**
     * What the file's attributes are is known, with {@code errno} 0, or not.
     *
     * @param attributes read before this returns.
     */
    void examined(long cookie, int errno, FileAttributes attributes);

    /** The file has been cut or extended, with {@code errno} 0, or not. */
    void truncated(long cookie, int errno);
}
