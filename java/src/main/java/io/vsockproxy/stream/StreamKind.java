/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.stream;

/**
 * The kinds of local end, as far as moving their bytes is concerned.
 */
public enum StreamKind {
    /** A connected stream socket. */
    SOCKET_STREAM(false),
    /** A connected datagram socket. */
    SOCKET_DGRAM(true),
    /** A connected seqpacket socket. */
    SOCKET_SEQPACKET(true),
    /** The end of a pipe that this side reads. */
    PIPE_READER(false),
    /** The end of a pipe that this side writes. */
    PIPE_WRITER(false),
    /** A component of this process. */
    CHANNEL(false);

    private final boolean keepsBoundaries;

    StreamKind(final boolean keepsBoundaries) {
        this.keepsBoundaries = keepsBoundaries;
    }

    /** Whether each write is a packet. */
    public boolean keepsBoundaries() {
        return keepsBoundaries;
    }
}
