/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.file;

import io.vsockproxy.posix.FileAttributes;
import io.vsockproxy.posix.Memory;

/**
 * A file on this proxy's own mount, which was received from a peer and is passed on: back to that peer, or to another
 * one. Requests for it are sent to its owner.
 *
 * <p>Going through the mount instead would take a worker, which waits for the loop, which waits for the owner, which
 * may have received the file from here: with a few such files all workers would wait for each other for ever. A relay
 * makes nobody wait.
 *
 * <p>Each method either returns 0 and calls {@code completion} later, once, never before it returns; or returns {@code
 * -errno} and does not call it. Confined to the loop's thread.
 */
public interface FileRelay {
    /** As the offset of a write: the end of the file at that time. */
    long END_OF_FILE = -1;

    /** Called with the outcome of a request, and provides its memory. */
    interface Completion {
        /** The buffer for the bytes read, or with the bytes to be written. Must stay until {@link #onDone}. */
        Memory data();

        /** Receives a file's attributes. Must stay until {@link #onDone}. */
        FileAttributes attributes();

        /** The outcome: a number of bytes, or 0; or {@code -errno}. */
        void onDone(long result);
    }

    /** Whether the owner accepts {@link #END_OF_FILE}. */
    boolean appends();

    /** Reads up to {@code length} bytes at {@code offset} into the completion's data. */
    int read(long offset, int length, Completion completion);

    /** Writes up to {@code length} bytes of the completion's data to {@code offset}, or {@link #END_OF_FILE}. */
    int write(long offset, int length, Completion completion);

    /** Asks for the attributes, which go into the completion's. */
    int examine(Completion completion);

    /** Makes durable what was written, and asks for the attributes, which go into the completion's. */
    int sync(boolean dataOnly, Completion completion);

    /** Truncates or extends the file to {@code length} bytes. */
    int truncate(long length, Completion completion);
}
