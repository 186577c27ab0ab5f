/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.stream;

import io.vsockproxy.posix.Memory;

/**
 * What {@link OutputQueue}s are made of: memory in pieces of {@link #CHUNK_LENGTH} bytes, and runs. Some of each are
 * kept for the next who needs one, so that a reader that falls behind again and again leaves no garbage.
 */
public final class ChunkPool implements AutoCloseable {
    /** Bytes in a chunk. */
    public static final int CHUNK_LENGTH = 64 * 1024;

    /** As much as waits at most, by default, for one reader that is slower than what comes: 4 MiB, begun anywhere. */
    private static final int MAX_IDLE = 65;
    private static final int MAX_IDLE_RUNS = 1024;

    /** A piece of memory, in a queue or in the pool. */
    static final class Chunk {
        /** The one behind it. */
        Chunk next;
        private final Memory memory = Memory.allocate(CHUNK_LENGTH);

        Memory memory() {
            return memory;
        }
    }

    private Chunk idle;
    private int idleCount;
    private Run idleRuns;
    private int idleRunCount;
    private Chunk held;
    private boolean heldCameBack;
    private boolean closed;

    /** Hands a chunk out; its bytes are arbitrary. */
    Chunk take() {
        if (idle == null) {
            return new Chunk();
        }
        final Chunk chunk = idle;
        idle = chunk.next;
        idleCount--;
        chunk.next = null;
        return chunk;
    }

    /** Takes a chunk back. */
    void giveBack(final Chunk chunk) {
        if (chunk == held) {
            heldCameBack = true;
        } else if (closed || idleCount >= MAX_IDLE) {
            chunk.memory.close();
        } else {
            chunk.next = idle;
            idle = chunk;
            idleCount++;
        }
    }

    /** Hands out a run of no bytes and no descriptors. */
    Run takeRun() {
        if (idleRuns == null) {
            return new Run();
        }
        final Run run = idleRuns;
        idleRuns = run.next;
        idleRunCount--;
        run.next = null;
        return run;
    }

    /** Takes a run back whose descriptors are closed, or somebody else's. */
    void giveBack(final Run run) {
        if (idleRunCount < MAX_IDLE_RUNS) {
            run.length = 0;
            run.descriptorCount = 0;
            run.descriptors = Run.NO_DESCRIPTORS;
            run.delivery = null;
            run.next = idleRuns;
            idleRuns = run;
            idleRunCount++;
        }
    }

    /** Has {@code chunk} neither handed out again nor unmapped until {@link #release}: somebody reads it. */
    void hold(final Chunk chunk) {
        held = chunk;
    }

    /** Nobody reads any more what is {@linkplain #hold held}. */
    void release() {
        final Chunk chunk = held;
        held = null;
        if (heldCameBack) {
            heldCameBack = false;
            giveBack(chunk);
        }
    }

    @Override
    public void close() {
        closed = true;
        while (idle != null) {
            take().memory.close();
        }
    }
}
