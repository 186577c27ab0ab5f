/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.stream;

import io.vsockproxy.posix.ControlData;
import io.vsockproxy.posix.IoVec;
import io.vsockproxy.posix.Memory;
import io.vsockproxy.posix.Syscalls;
import java.util.ArrayDeque;
import java.util.Arrays;
import org.agrona.DirectBuffer;
import org.agrona.concurrent.UnsafeBuffer;

/**
 * What a local descriptor has refused so far: bytes in chunks, cut into runs where a boundary must survive.
 *
 * <pre>
 *   chunks:   |....xxxxxxxxxxxx|xxxxxxxxxxxxxxxx|xxxxxxx.........|
 *                  ^ readOffset                        ^ writeOffset
 *   runs:       |--- 1 ---|------ 2 + descriptors ------|- 3 -|
 * </pre>
 *
 * <p>A run is a packet, or a run of stream bytes with the descriptors that go with its first byte. Runs without
 * descriptors extend the run before them. Owns the descriptors until they are sent. The owner bounds the length.
 */
final class OutputQueue implements AutoCloseable {
    /** Most pieces that one call sends. */
    static final int MAX_PIECES = 16;

    /** What a run takes up beside its bytes, roughly: thousands of empty packets are not nothing. */
    static final int RUN_CHARGE = 64;
    /** What a waiting descriptor is charged: a process has fewer of them than of bytes. */
    static final int DESCRIPTOR_CHARGE = 4096;

    private static final int[] NO_DESCRIPTORS = {};

    /** A run of bytes that must not be joined with its neighbours. */
    private static final class Run {
        private int length;
        private int descriptorCount;
        private int[] descriptors = NO_DESCRIPTORS;
        /** Descriptors not all of which are there yet; null otherwise. */
        private Delivery delivery;

        /** Has descriptors that came with no byte of their own ride on this run's first, in front of its own. */
        void ride(final int[] earlier) {
            if (delivery != null || earlier.length + descriptors.length > ControlData.MAX_DESCRIPTORS) {
                closeAll(earlier);
            } else {
                descriptorCount += earlier.length;
                final int[] all = Arrays.copyOf(earlier, earlier.length + descriptors.length);
                System.arraycopy(descriptors, 0, all, earlier.length, descriptors.length);
                descriptors = all;
            }
        }
    }

    private final ChunkPool pool;
    private final boolean keepsBoundaries;
    /** Both are null until something has to wait: most streams' readers keep up. */
    private ArrayDeque<Memory> chunks;
    private ArrayDeque<Run> runs;
    private int readOffset;
    private int writeOffset = ChunkPool.CHUNK_LENGTH;
    private int length;
    private int descriptorCount;

    /**
     * @param keepsBoundaries whether each {@link #add} is a packet.
     */
    OutputQueue(final ChunkPool pool, final boolean keepsBoundaries) {
        this.pool = pool;
        this.keepsBoundaries = keepsBoundaries;
    }

    boolean isEmpty() {
        return runs == null || runs.isEmpty();
    }

    /** Bytes that wait. */
    int length() {
        return length;
    }

    /** Descriptors that wait, those that are still to be supplied among them. */
    int descriptorCount() {
        return descriptorCount;
    }

    /** What waits, in bytes: {@link #length} with what its runs and descriptors are charged. */
    int charge() {
        return runs == null ? 0 : length + runs.size() * RUN_CHARGE + descriptorCount * DESCRIPTOR_CHARGE;
    }

    /** Copies bytes in. Takes ownership of the descriptors. */
    void add(final DirectBuffer buffer, final int offset, final int count, final int[] descriptors) {
        final Run last = runs == null ? null : runs.peekLast();
        if (last != null && !keepsBoundaries && descriptors.length == 0) {
            last.length += count;
        } else {
            addRun(count, descriptors.length).descriptors = descriptors;
        }
        copy(buffer, offset, count);
    }

    /** Copies bytes in that wait for descriptors, and that everything after them waits for. */
    void add(final DirectBuffer buffer, final int offset, final int count, final Delivery delivery) {
        addRun(count, delivery.descriptors().length).delivery = delivery;
        copy(buffer, offset, count);
    }

    /**
     * Whether the first run may be sent: its descriptors are all there, and there is a byte for them to ride on. The
     * queue must not be empty.
     */
    boolean isFirstReady() {
        Run first = runs.getFirst();
        while (hasAllDescriptors(first)) {
            if (keepsBoundaries || first.length > 0) {
                return true;
            }
            if (runs.size() == 1) {
                return false;
            }
            runs.removeFirst();
            descriptorCount -= first.descriptorCount;
            final Run next = runs.getFirst();
            descriptorCount -= next.descriptorCount;
            next.ride(first.descriptors);
            descriptorCount += next.descriptorCount;
            first = next;
        }
        return false;
    }

    /** Descriptors of the first run, not yet sent; the queue stays their owner. */
    int[] firstDescriptors() {
        return runs.getFirst().descriptors;
    }

    /** Bytes of the first run. */
    int firstLength() {
        return runs.getFirst().length;
    }

    /** What goes with the first run and is not all there yet, or is a channel's; or null. */
    Delivery firstDelivery() {
        return runs.getFirst().delivery;
    }

    /** Drops that, if there is any: its owner has taken what it wanted. */
    void abandonFirstDelivery() {
        final Run first = runs.getFirst();
        if (first.delivery != null) {
            first.delivery.abandon();
            first.delivery = null;
        }
    }

    /**
     * Where the first run's bytes begin, with {@link #firstChunkOffset} and {@link #firstPieceLength}. They stay as
     * they are until {@link #releaseChunk}, whatever becomes of the queue.
     */
    DirectBuffer holdFirstChunk() {
        final Memory chunk = chunks.getFirst();
        pool.hold(chunk);
        return chunk.buffer();
    }

    /** After {@link #holdFirstChunk}. */
    void releaseChunk() {
        pool.release();
    }

    int firstChunkOffset() {
        return readOffset;
    }

    /** How many bytes of the first run lie there in one piece. */
    int firstPieceLength() {
        return Math.min(runs.getFirst().length, ChunkPool.CHUNK_LENGTH - readOffset);
    }

    /**
     * Lists the first run's bytes, or as many as {@link #MAX_PIECES} pieces hold, in a table of {@link IoVec}s.
     *
     * @return how many entries were written; 0 for an empty packet.
     */
    int gather(final UnsafeBuffer table) {
        int left = runs.getFirst().length;
        int from = readOffset;
        int pieces = 0;
        for (final Memory chunk : chunks) {
            if (left == 0 || pieces == MAX_PIECES) {
                break;
            }
            final int part = Math.min(left, ChunkPool.CHUNK_LENGTH - from);
            IoVec.set(table, pieces++, chunk.address(from, part), part);
            left -= part;
            from = 0;
        }
        return pieces;
    }

    /** The first run's descriptors have gone with its first byte: closes this side's copies. */
    void descriptorsSent() {
        final Run first = runs.getFirst();
        closeAll(first.descriptors);
        first.descriptors = NO_DESCRIPTORS;
        descriptorCount -= first.descriptorCount;
        first.descriptorCount = 0;
    }

    /** The first {@code count} bytes of the first run have gone; of an empty packet, 0. */
    void taken(final int count) {
        final Run first = runs.getFirst();
        first.length -= count;
        length -= count;
        int left = count;
        while (left > 0) {
            final int part = Math.min(left, ChunkPool.CHUNK_LENGTH - readOffset);
            readOffset += part;
            left -= part;
            if (readOffset == ChunkPool.CHUNK_LENGTH) {
                pool.giveBack(chunks.removeFirst());
                readOffset = 0;
            }
        }
        if (first.length == 0) {
            descriptorsSent();
            runs.removeFirst();
            if (runs.isEmpty()) {
                releaseChunks();
            }
        }
    }

    @Override
    public void close() {
        if (runs == null) {
            return;
        }
        for (final Run run : runs) {
            closeAll(run.descriptors);
            if (run.delivery != null) {
                run.delivery.abandon();
            }
        }
        runs.clear();
        length = 0;
        descriptorCount = 0;
        releaseChunks();
    }

    private static boolean hasAllDescriptors(final Run run) {
        if (run.delivery != null && run.delivery.isComplete()) {
            run.descriptors = run.delivery.descriptors();
            run.delivery = null;
        }
        return run.delivery == null;
    }

    private Run addRun(final int count, final int newDescriptors) {
        if (runs == null) {
            chunks = new ArrayDeque<>();
            runs = new ArrayDeque<>();
        }
        final Run run = new Run();
        run.length = count;
        run.descriptorCount = newDescriptors;
        descriptorCount += newDescriptors;
        runs.add(run);
        return run;
    }

    private void copy(final DirectBuffer buffer, final int offset, final int count) {
        length += count;
        int done = 0;
        while (done < count) {
            if (writeOffset == ChunkPool.CHUNK_LENGTH) {
                chunks.add(pool.take());
                writeOffset = 0;
            }
            final int part = Math.min(count - done, ChunkPool.CHUNK_LENGTH - writeOffset);
            chunks.getLast().buffer().putBytes(writeOffset, buffer, offset + done, part);
            writeOffset += part;
            done += part;
        }
    }

    private void releaseChunks() {
        for (final Memory chunk : chunks) {
            pool.giveBack(chunk);
        }
        chunks.clear();
        readOffset = 0;
        writeOffset = ChunkPool.CHUNK_LENGTH;
    }

    private static void closeAll(final int[] descriptors) {
        for (final int descriptor : descriptors) {
            Syscalls.close(descriptor);
        }
    }
}
