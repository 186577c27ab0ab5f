/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */

/**
 * Gives out real descriptors for files that live elsewhere: a mount of the kernel's FUSE protocol, served from
 * /dev/fuse inside the event loop.
 *
 * <p>{@link io.vsockproxy.fuse.FuseMount} is all that a user starts with; a {@link io.vsockproxy.fuse.FileBackend}
 * answers for one file. Everything runs on the loop's thread, except that others open and close descriptors of the
 * mount, because either may wait for the loop. Nothing on the loop's thread may touch the mount by any call that
 * asks the file system (open, close, read, stat, statfs, epoll_ctl ...): it would wait for itself.
 *
 * <p>Source of all layouts and numbers: include/uapi/linux/fuse.h of the Linux sources, protocol 7.23 to 7.45.
 */
package io.vsockproxy.fuse;
