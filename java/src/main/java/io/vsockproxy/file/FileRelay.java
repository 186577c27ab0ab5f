/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.file;

import io.vsockproxy.posix.FileAttributes;
import io.vsockproxy.posix.Memory;

/**
 * A file of this side that this side has itself been passed, on its own mount, and passes on: back to where it came
 * from, or to a third. What is asked for is asked of its owner.
 *
 * <p>Through the mount it would take a worker, which waits for the loop, which waits for the owner, which may have got
 * the file from here: with a few of those every worker waits for the others, for ever. Nobody waits here.
 *
 * <p>Each method gives 0, and tells {@code completion} later, once, never before it returns; or {@code -errno}, and
 * tells nobody. Loop's thread only.
 */
public interface FileRelay {
    /** An offset for writes: where the file ends then. */
    long END_OF_FILE = -1;

    /** Who is told what came of a request. */
    interface Completion {
        /** Where what was read goes, or where what is to be written is. Stays until {@link #onDone}. */
        Memory data();

        /** Where a file's attributes go. Stays until {@link #onDone}. */
        FileAttributes attributes();

        /** It was done: bytes, or 0; or {@code -errno}. */
        void onDone(long result);
    }

    /** Reads up to {@code length} bytes at {@code offset} into the completion's data. */
    int read(long offset, int length, Completion completion);

    /** Writes up to {@code length} bytes of the completion's data to {@code offset}, or {@link #END_OF_FILE}. */
    int write(long offset, int length, Completion completion);

    /** Asks for the attributes, which go into the completion's. */
    int examine(Completion completion);

    /** Makes durable what was written, and asks for the attributes, which go into the completion's. */
    int sync(boolean dataOnly, Completion completion);

    /** Cuts or extends. */
    int truncate(long length, Completion completion);
}
