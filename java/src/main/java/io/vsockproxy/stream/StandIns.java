/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.stream;

import io.vsockproxy.posix.Constants;
import io.vsockproxy.posix.DescriptorPair;
import io.vsockproxy.posix.DescriptorReserve;
import io.vsockproxy.posix.StatusFlags;

/**
 * Makes stand-ins: what an application gets in place of a descriptor that stays on the other side is one end of a new
 * socket pair or pipe, whose other end becomes a stream. One thread.
 */
public final class StandIns implements AutoCloseable {
    private final DescriptorPair pair = new DescriptorPair();
    private final DescriptorReserve reserve;
    private int ownEnd;
    private int applicationEnd;

    /**
     * @param reserve the descriptor numbers that must not be kept.
     */
    public StandIns(final DescriptorReserve reserve) {
        this.reserve = reserve;
    }

    /**
     * Makes a pair of descriptors, {@link #ownEnd} and {@link #applicationEnd}, which the caller then owns.
     *
     * @param kind  the kind of our own end.
     * @param flags the original's file status flags, of which only O_NONBLOCK is copied.
     * @return 0, or a positive errno: EMFILE.
     */
    public int make(final StreamKind kind, final int flags) {
        final boolean pipe = kind == StreamKind.PIPE_READER || kind == StreamKind.PIPE_WRITER;
        int result = pipe ? pair.pipe(0) : pair.socketPair(socketType(kind));
        if (result == 0) {
            result = pair.keep(reserve);
        }
        if (result < 0) {
            return -result;
        }
        // The first descriptor of a pipe is its read end.
        final boolean ownFirst = kind != StreamKind.PIPE_WRITER;
        ownEnd = ownFirst ? pair.first() : pair.second();
        applicationEnd = ownFirst ? pair.second() : pair.first();
        if ((flags & Constants.O_NONBLOCK) != 0) {
            StatusFlags.setNonBlocking(applicationEnd);
        }
        return 0;
    }

    /** The end that this side keeps. */
    public int ownEnd() {
        return ownEnd;
    }

    /** The end that the application gets. */
    public int applicationEnd() {
        return applicationEnd;
    }

    @Override
    public void close() {
        pair.close();
    }

    private static int socketType(final StreamKind kind) {
        return switch (kind) {
            case SOCKET_DGRAM -> Constants.SOCK_DGRAM;
            case SOCKET_SEQPACKET -> Constants.SOCK_SEQPACKET;
            default -> Constants.SOCK_STREAM;
        };
    }
}
