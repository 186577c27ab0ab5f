/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/**
 * Owns the C shim's Java face: system calls, their constants and errors, off-heap memory and who closes a descriptor.
 * Calls keep no state and any thread may make them; an object with a buffer belongs to the one thread that uses it.
 *
 * <p>Public API of it are {@link io.vsockproxy.posix.OwnedFd}, {@link io.vsockproxy.posix.PosixException} and {@link
 * io.vsockproxy.posix.Errno}; everything else is the engine's own, and changes with it.
 */
package io.vsockproxy.posix;
