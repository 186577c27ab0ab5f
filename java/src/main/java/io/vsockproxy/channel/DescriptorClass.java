/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.channel;

/**
 * The kinds of descriptor that an application can pass.
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
     * Anything else: a directory, a device, an eventfd, a listening socket, a FIFO open for reading and writing, an
     * O_PATH descriptor. It reaches a component only over a unix socket: the link itself, or the descriptor socket
     * beside it.
     */
    OTHER
}
