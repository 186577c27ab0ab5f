/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.channel;

/**
 * What a descriptor that an application passes turns out to be.
 */
public enum DescriptorClass {
    /** A stream socket that can be read and written. */
    STREAM_SOCKET,
    /** A datagram socket. */
    DATAGRAM_SOCKET,
    /** A seqpacket socket. */
    SEQPACKET_SOCKET,
    /** The read end of a pipe or FIFO. */
    PIPE_READ_END,
    /** The write end of a pipe or FIFO. */
    PIPE_WRITE_END,
    /** A regular file that can be read or written. */
    REGULAR_FILE,
    /**
     * Anything else: a directory, device, eventfd, listening socket, a FIFO opened for both, an O_PATH descriptor. Only
     * another unix socket can carry it to a component.
     */
    OTHER
}
