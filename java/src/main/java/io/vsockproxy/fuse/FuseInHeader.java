/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.fuse;

import org.agrona.DirectBuffer;

/**
 * The layout of the header of every request: {@code struct fuse_in_header}.
 *
 * <pre>
 *    0        4        8                 16                24       28       32       36       38      40
 *   +--------+--------+-----------------+-----------------+--------+--------+--------+--------+--------+
 *   | len    | opcode | unique          | nodeid          | uid    | gid    | pid    | extlen | unused |  arguments
 *   +--------+--------+-----------------+-----------------+--------+--------+--------+--------+--------+
 * </pre>
 */
final class FuseInHeader {
    static final int LENGTH = 40;

    private FuseInHeader() {
    }

    /** Bytes of the whole request, this header included. */
    static int length(final DirectBuffer buffer, final int offset) {
        return buffer.getInt(offset);
    }

    static int opcode(final DirectBuffer buffer, final int offset) {
        return buffer.getInt(offset + 4);
    }

    /** The request's number, which its answer repeats. */
    static long unique(final DirectBuffer buffer, final int offset) {
        return buffer.getLong(offset + 8);
    }

    /** The node id of the file or directory that the request is about. */
    static long nodeId(final DirectBuffer buffer, final int offset) {
        return buffer.getLong(offset + 16);
    }

    /** The thread that waits for the answer, in this process's PID namespace; 0 when it is not in there. */
    static int taskId(final DirectBuffer buffer, final int offset) {
        return buffer.getInt(offset + 32);
    }
}
