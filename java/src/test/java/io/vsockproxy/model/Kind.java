/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.model;

import io.vsockproxy.posix.Constants;

/**
 * What joins two ends.
 */
enum Kind {
    /** A stream socket that one application connected and another accepted. */
    CONNECTION(Constants.SOCK_STREAM, false),
    /** A socket pair, one end of which was passed; and so on. */
    STREAM(Constants.SOCK_STREAM, false),
    SEQPACKET(Constants.SOCK_SEQPACKET, true),
    DGRAM(Constants.SOCK_DGRAM, true),
    /** End 0 reads, end 1 writes. */
    PIPE(0, false);

    private final int socketType;
    private final boolean packets;

    Kind(final int socketType, final boolean packets) {
        this.socketType = socketType;
        this.packets = packets;
    }

    int socketType() {
        return socketType;
    }

    /** Whether each message stays by itself. */
    boolean packets() {
        return packets;
    }

    boolean socket() {
        return this != PIPE;
    }

    /** Whether one direction can end before the other. */
    boolean halfCloses() {
        return socket() && this != DGRAM;
    }

    /** Whether a reader sees that the other end has been closed. */
    boolean ends() {
        return this != DGRAM;
    }
}
