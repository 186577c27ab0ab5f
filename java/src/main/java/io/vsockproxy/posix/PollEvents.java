/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.posix;

/**
 * The events of poll(2), in the numbers that FUSE and the protocol between two proxies use. Source: asm-generic/poll.h.
 */
public final class PollEvents {
    /** POLLIN. */
    public static final int IN = 1;
    /** POLLOUT. */
    public static final int OUT = 4;
    /** POLLERR. */
    public static final int ERROR = 8;
    /** POLLHUP. */
    public static final int HANG_UP = 0x10;
    /** POLLIN and POLLRDNORM, which go together. */
    public static final int READABLE = IN | 0x40;
    /** POLLOUT and POLLWRNORM, which go together. */
    public static final int WRITABLE = OUT | 0x100;
    /** What the kernel reports for a regular file. */
    public static final int ALWAYS_READY = READABLE | WRITABLE;

    private PollEvents() {
    }
}
