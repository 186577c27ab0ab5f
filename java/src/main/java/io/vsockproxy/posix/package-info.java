/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/**
 * The Java face of the C shim: system calls, their constants and errors, off-heap memory and the ownership of
 * descriptors. Calls keep no state, and any thread may make them; an object with a buffer belongs to the one thread
 * that uses it.
 *
 * <p>{@link io.vsockproxy.posix.OwnedFd}, {@link io.vsockproxy.posix.PosixException} and {@link
 * io.vsockproxy.posix.Errno} are public API; everything else is internal and may change.
 */
package io.vsockproxy.posix;
