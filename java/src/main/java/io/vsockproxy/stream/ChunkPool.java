/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.stream;

import io.vsockproxy.posix.Memory;

/**
 * The parts of {@link OutputQueue}s: chunks of memory of {@link #CHUNK_LENGTH} bytes, and runs. Some of each are kept
 * for reuse, so that a reader that falls behind again and again leaves no garbage. Confined to the loop's thread.
 */
public final class ChunkPool implements AutoCloseable {
    /** Bytes in a chunk. */
    public static final int CHUNK_LENGTH = 64 * 1024;

    /** As many as one slow reader's queue takes by default: 4 MiB, which may begin in the middle of a chunk. */
    private static final int MAX_IDLE = 65;
    private static final int MAX_IDLE_RUNS = 1024;

    /** A piece of memory, in a queue or in the pool. */
    static final class Chunk {
        /** The next one in the queue or in the pool. */
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

    /** Returns a chunk; its contents are arbitrary. */
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

    /** Returns a run without bytes or descriptors. */
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

    /** Takes a run back. Its descriptors have been closed or belong to somebody else. */
    void giveBack(final Run run) {
        if (idleRunCount < MAX_IDLE_RUNS) {
            run.length = 0;
            run.packetCount = 0;
            run.descriptorCount = 0;
            run.descriptors = Run.NO_DESCRIPTORS;
            run.delivery = null;
            run.next = idleRuns;
            idleRuns = run;
            idleRunCount++;
        }
    }

    /** Keeps {@code chunk} from being reused or unmapped until {@link #release}, because somebody is reading it. */
    void hold(final Chunk chunk) {
        held = chunk;
    }

    /** Nobody reads the {@linkplain #hold held} chunk any more. */
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
