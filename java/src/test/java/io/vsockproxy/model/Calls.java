/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.model;

import io.vsockproxy.posix.Constants;
import io.vsockproxy.posix.Errno;
import io.vsockproxy.testing.Endpoint;
import java.util.List;

/**
 * System calls on an end in one world. None of them waits; they return counts or {@code -errno}.
 */
final class Calls {
    private static final Endpoint[] NONE = {};

    private Calls() {
    }

    /** One send or write. */
    static int send(
        final End end, final World world, final byte[] bytes, final int offset, final int length,
        final Endpoint... passed) {
        final Endpoint descriptor = end.in(world);
        if (end.kind().socket()) {
            return descriptor.trySend(bytes, offset, length, passed);
        }
        return descriptor.poll(Constants.EPOLLOUT, 0) == 0
            ? -Errno.EAGAIN : (int) descriptor.tryWrite(bytes, offset, length);
    }

    /** The same without descriptors. */
    static int send(final End end, final World world, final byte[] bytes) {
        return send(end, world, bytes, 0, bytes.length, NONE);
    }

    /**
     * One receive or read. A socket whose other end was closed with unread data reports ECONNRESET once, before the
     * first byte or after the last, and otherwise works as usual; that error is ignored.
     */
    static int receive(final End end, final World world, final byte[] bytes, final List<Endpoint> descriptors) {
        final Endpoint descriptor = end.in(world);
        if (end.kind().socket()) {
            final int received = descriptor.tryReceive(bytes, descriptors);
            return received == -Errno.ECONNRESET ? descriptor.tryReceive(bytes, descriptors) : received;
        }
        return descriptor.poll(Constants.EPOLLIN, 0) == 0
            ? -Errno.EAGAIN : (int) descriptor.read(bytes, 0, bytes.length);
    }

    /** Whether a send met nobody. Which of these it is depends on what the other end had still to read. */
    static boolean isGone(final int result) {
        return result == -Errno.EPIPE || result == -Errno.ECONNRESET || result == -Errno.ECONNREFUSED
            || result == -Errno.ENOTCONN;
    }

    static String describe(final int result) {
        return result < 0 ? Errno.name(-result) : Integer.toString(result);
    }
}
