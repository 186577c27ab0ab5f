/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/**
 * Regular files of this side that the other side reads and writes by request, without the loop ever waiting for a disk;
 * and FIFOs that are open for both, whose requests wait for somebody to write or read.
 *
 * <p>Confined to the loop's thread, except that {@link io.vsockproxy.file.FileWorkers} run what may block; a request
 * belongs to the loop or to one worker at a time, and crosses by a queue.
 */
package io.vsockproxy.file;
