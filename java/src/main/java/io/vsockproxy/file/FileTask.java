/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.file;

/**
 * Work that may wait for a disk: a worker performs it, and then the loop is told.
 *
 * <p>Queues link tasks through {@link #nextTask}, so that passing one on allocates nothing. A task is in at most one
 * queue, and belongs to the worker from {@link FileWorkers#submit} until {@link #completed}.
 */
abstract class FileTask {
    FileTask nextTask;

    /** Does the work, on a worker; may block. */
    abstract void perform();

    /** Called on the loop's thread when the work has been done. */
    abstract void completed();
}
