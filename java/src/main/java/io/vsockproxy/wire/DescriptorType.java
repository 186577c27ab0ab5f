/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.wire;

import java.util.List;

/**
 * The kinds of descriptor that a Data message can pass, by their value in {@code FileDescriptor.Type}.
 */
public final class DescriptorType {
    public static final int SOCKET_STREAM = 0;
    /** The read end of a pipe: bytes flow from the descriptor's owner to the receiver. */
    public static final int FIFO_READ = 1;
    /** The write end of a pipe: bytes flow from the receiver to the descriptor's owner. */
    public static final int FIFO_WRITE = 2;
    public static final int REGULAR_FILE = 3;
    /** Anything else; it travels beside the frame. */
    public static final int TRANSPORTABLE = 4;
    public static final int SOCKET_DGRAM = 5;
    public static final int SOCKET_SEQPACKET = 6;
    /**
     * A pipe or FIFO that is open for reading and writing; only sent to a peer that has greeted with {@link
     * Notice#FIFOS}.
     */
    public static final int FIFO = 7;

    private static final List<String> NAMES = List.of(
        "SOCKET_STREAM", "FIFO_READ", "FIFO_WRITE", "REGULAR_FILE", "TRANSPORTABLE", "SOCKET_DGRAM",
        "SOCKET_SEQPACKET", "FIFO");

    private DescriptorType() {
    }

    /** Whether a type is one of those above. A peer of a later version may send others: proto3 lets them through. */
    public static boolean isKnown(final int type) {
        return type >= 0 && type < NAMES.size();
    }

    /** The name of a type, for a log line: {@code FIFO_READ}, or {@code descriptor type 99} for one not listed. */
    public static String name(final int type) {
        return isKnown(type) ? NAMES.get(type) : "descriptor type " + type;
    }
}
