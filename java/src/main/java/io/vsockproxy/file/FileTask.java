/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.file;

/**
 * Something that may wait for a disk: a worker does it, the loop is told.
 *
 * <p>Queues link tasks through {@link #nextTask}, so that handing one over allocates nothing; a task is in one queue at
 * most, and belongs to the worker from {@link FileWorkers#submit} until {@link #completed}.
 */
abstract class FileTask {
    FileTask nextTask;

    /** On a worker: does it, however long it takes. */
    abstract void perform();

    /** On the loop's thread: it has been done. */
    abstract void completed();
}
