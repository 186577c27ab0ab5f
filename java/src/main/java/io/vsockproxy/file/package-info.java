/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/**
 * Regular files of this side, which the other side reads and writes by requests, without the loop ever waiting for a
 * disk; and FIFOs that are open for reading and writing, whose requests wait for somebody to write or read.
 *
 * <p>Confined to the loop's thread, except that {@link io.vsockproxy.file.FileWorkers} run what may block. A request
 * belongs either to the loop or to one worker, and passes between them through a queue.
 */
package io.vsockproxy.file;
