/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.stream;

import io.vsockproxy.posix.Memory;
import java.util.ArrayDeque;

/**
 * Memory for {@link OutputQueue}s, in pieces of {@link #CHUNK_LENGTH} bytes, a few of them kept for the next who needs
 * one.
 */
public final class ChunkPool implements AutoCloseable {
    /** Bytes in a chunk. */
    public static final int CHUNK_LENGTH = 64 * 1024;

    private static final int MAX_IDLE = 32;

    private final ArrayDeque<Memory> idle = new ArrayDeque<>();
    private Memory held;
    private boolean heldCameBack;
    private boolean closed;

    /** Hands a chunk out; its bytes are arbitrary. */
    Memory take() {
        final Memory chunk = idle.poll();
        return chunk != null ? chunk : Memory.allocate(CHUNK_LENGTH);
    }

    /** Takes a chunk back. */
    void giveBack(final Memory chunk) {
        if (chunk == held) {
            heldCameBack = true;
        } else if (closed || idle.size() >= MAX_IDLE) {
            chunk.close();
        } else {
            idle.push(chunk);
        }
    }

    /** Has {@code chunk} neither handed out again nor unmapped until {@link #release}: somebody reads it. */
    void hold(final Memory chunk) {
        held = chunk;
    }

    /** Nobody reads any more what is {@linkplain #hold held}. */
    void release() {
        final Memory chunk = held;
        held = null;
        if (heldCameBack) {
            heldCameBack = false;
            giveBack(chunk);
        }
    }

    @Override
    public void close() {
        closed = true;
        idle.forEach(Memory::close);
        idle.clear();
    }
}
