/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/**
 * Provides real descriptors for files that live elsewhere: a mount that speaks the kernel's FUSE protocol, served from
 * /dev/fuse inside the event loop.
 *
 * <p>{@link io.vsockproxy.fuse.FuseMount} is the entry point; a {@link io.vsockproxy.fuse.FileBackend} serves one file.
 * Everything runs on the loop's thread, except that other threads open and close descriptors of the mount, because that
 * may wait for the loop. The loop's thread must not touch the mount with any call that asks the file system (open,
 * close, read, stat, statfs, epoll_ctl ...): it would wait for itself.
 *
 * <p>Source of all layouts and numbers: include/uapi/linux/fuse.h of the Linux sources, protocol 7.23 to 7.45.
 */
package io.vsockproxy.fuse;
