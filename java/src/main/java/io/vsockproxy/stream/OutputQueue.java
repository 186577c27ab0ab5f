/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.stream;

import io.vsockproxy.posix.IoVec;
import io.vsockproxy.stream.ChunkPool.Chunk;
import org.agrona.BitUtil;
import org.agrona.DirectBuffer;
import org.agrona.concurrent.UnsafeBuffer;

/**
 * Bytes or packets that wait for a local reader, stored in chunks and divided into runs where descriptors are attached.
 *
 * <pre>
 *   chunks:   |....xxxxxxxxxxxx|xxxxxxxxxxxxxxxx|xxxxxxx.........|
 *                  ^ readOffset                        ^ writeOffset
 *   runs:          |--- 1 ---|-- 2 + descriptors --|- 3 + d. -|
 *
 *   packets:  | length | bytes, maybe in several chunks | length | length | bytes ...
 *             ^ at a multiple of 4, so that no length is divided between chunks
 * </pre>
 *
 * <p>A run is a sequence of stream bytes, or of packets, with the descriptors attached to its first byte or packet.
 * What has no descriptors extends the run before it. So there is no object for a packet: a peer may send a million
 * empty ones. Owns the descriptors until they are sent. The session bounds the length.
 */
final class OutputQueue implements AutoCloseable {
    /** The most pieces that one call takes: the kernel's limit, UIO_MAXIOV. */
    static final int MAX_PIECES = 1024;

    /** The most pieces of a byte stream that one call sends: more than a socket takes at once. */
    static final int MAX_STREAM_PIECES = 16;

    /** The longest packet, in bytes, that one call can send, wherever in a chunk it begins. */
    static final int MAX_PACKET_LENGTH = (MAX_PIECES - 1) * ChunkPool.CHUNK_LENGTH;

    /**
     * What a packet counts in addition to its bytes, or a run of stream bytes, so that empty packets are bounded too.
     * What it takes is less: a length, and padding.
     */
    static final int BOUNDARY_CHARGE = Credit.PACKET_OVERHEAD;
    /** What a waiting descriptor counts, in bytes: a process has fewer descriptors than bytes. */
    static final int DESCRIPTOR_CHARGE = 4096;

    private final ChunkPool pool;
    private final boolean keepsBoundaries;
    private Chunk firstChunk;
    private Chunk lastChunk;
    private Run firstRun;
    private Run lastRun;
    private int runCount;
    private int packetCount;
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
        return firstRun == null;
    }

    /** How many bytes wait. */
    int length() {
        return length;
    }

    /** How many descriptors wait, including those still to be supplied. */
    int descriptorCount() {
        return descriptorCount;
    }

    /** {@link #length} plus the charges for boundaries and descriptors, in bytes. */
    int charge() {
        final int boundaries = keepsBoundaries ? packetCount : runCount;
        return length + boundaries * BOUNDARY_CHARGE + descriptorCount * DESCRIPTOR_CHARGE;
    }

    /** Copies bytes in. Takes ownership of the descriptors. */
    void add(final DirectBuffer buffer, final int offset, final int count, final int[] descriptors) {
        if (lastRun == null || descriptors.length > 0) {
            addRun(descriptors.length).descriptors = descriptors;
        }
        append(buffer, offset, count);
    }

    /** Copies bytes in whose descriptors are not all there. They, and everything after them, wait for those. */
    void add(final DirectBuffer buffer, final int offset, final int count, final Delivery delivery) {
        addRun(delivery.descriptors().length).delivery = delivery;
        append(buffer, offset, count);
    }

    /**
     * Whether the first run may be sent: its descriptors are all there, and there is a byte to attach them to. The
     * queue must not be empty.
     */
    boolean isFirstReady() {
        while (firstRun.hasAllDescriptors()) {
            if (keepsBoundaries || firstRun.length > 0) {
                return true;
            }
            final Run next = firstRun.next;
            if (next == null || !next.hasAllDescriptors()) {
                return false;
            }
            descriptorCount -= firstRun.descriptorCount + next.descriptorCount;
            next.ride(firstRun.descriptors);
            descriptorCount += next.descriptorCount;
            removeFirstRun();
        }
        return false;
    }

    /** The unsent descriptors of the first run. The queue still owns them. */
    int[] firstDescriptors() {
        return firstRun.descriptors;
    }

    /** Bytes of the first run, or of the first packet. */
    int firstLength() {
        return firstRun.length;
    }

    /** The first run's descriptors while they are not all there, or when they are for a channel; or null. */
    Delivery firstDelivery() {
        return firstRun.delivery;
    }

    /** Drops the first delivery, if there is one: its receiver has taken what it wanted. */
    void abandonFirstDelivery() {
        if (firstRun.delivery != null) {
            firstRun.delivery.abandon();
            firstRun.delivery = null;
        }
    }

    /**
     * The buffer with the first bytes, which begin at {@link #firstChunkOffset} and of which {@link
     * #firstPieceLength} are contiguous. They stay unchanged until {@link #releaseChunk}, whatever becomes of the
     * queue.
     */
    DirectBuffer holdFirstChunk() {
        pool.hold(firstChunk);
        return firstChunk.memory().buffer();
    }

    /** Ends what {@link #holdFirstChunk} has begun. */
    void releaseChunk() {
        pool.release();
    }

    int firstChunkOffset() {
        return readOffset;
    }

    /** How many bytes of the first run or packet are contiguous in its first chunk. */
    int firstPieceLength() {
        return Math.min(firstRun.length, ChunkPool.CHUNK_LENGTH - readOffset);
    }

    /**
     * Lists what comes first in a table of {@link IoVec}s: a whole packet, if it is no longer than {@link
     * #MAX_PACKET_LENGTH}; of a byte stream's run, as much as fits into {@link #MAX_STREAM_PIECES} pieces.
     *
     * @return how many entries were written; 0 for an empty packet.
     */
    int gather(final UnsafeBuffer table) {
        int left = firstRun.length;
        int from = readOffset;
        final int maxPieces = keepsBoundaries ? MAX_PIECES : MAX_STREAM_PIECES;
        int pieces = 0;
        for (Chunk chunk = firstChunk; left > 0 && pieces < maxPieces; chunk = chunk.next) {
            final int part = Math.min(left, ChunkPool.CHUNK_LENGTH - from);
            IoVec.set(table, pieces++, chunk.memory().address(from, part), part);
            left -= part;
            from = 0;
        }
        return pieces;
    }

    /** The first run's descriptors have been sent with its first byte: closes this side's copies. */
    void descriptorsSent() {
        descriptorCount -= firstRun.descriptorCount;
        firstRun.closeDescriptors();
    }

    /** The first {@code count} bytes of the first run or packet have been taken; 0 for an empty packet. */
    void taken(final int count) {
        firstRun.length -= count;
        length -= count;
        skip(count);
        if (firstRun.length == 0) {
            descriptorsSent();
            if (keepsBoundaries) {
                packetCount--;
                firstRun.packetCount--;
            }
            if (firstRun.packetCount == 0) {
                removeFirstRun();
            }
            if (firstRun == null) {
                releaseChunks();
            } else if (keepsBoundaries) {
                readPacketLength();
            }
        }
    }

    @Override
    public void close() {
        while (firstRun != null) {
            firstRun.closeDescriptors();
            abandonFirstDelivery();
            removeFirstRun();
        }
        length = 0;
        packetCount = 0;
        descriptorCount = 0;
        releaseChunks();
    }

    private Run addRun(final int newDescriptors) {
        final Run run = pool.takeRun();
        run.descriptorCount = newDescriptors;
        descriptorCount += newDescriptors;
        if (lastRun == null) {
            firstRun = run;
        } else {
            lastRun.next = run;
        }
        lastRun = run;
        runCount++;
        return run;
    }

    private void removeFirstRun() {
        final Run run = firstRun;
        firstRun = run.next;
        if (firstRun == null) {
            lastRun = null;
        }
        runCount--;
        pool.giveBack(run);
    }

    /** Adds bytes to the last run; or a packet, which is the first of all if nothing else waits. */
    private void append(final DirectBuffer buffer, final int offset, final int count) {
        length += count;
        if (!keepsBoundaries) {
            lastRun.length += count;
            copy(buffer, offset, count);
            return;
        }
        lastRun.packetCount++;
        packetCount++;
        writePacketLength(count);
        copy(buffer, offset, count);
        if (packetCount == 1) {
            readPacketLength();
        }
    }

    private void writePacketLength(final int count) {
        writeOffset = BitUtil.align(writeOffset, Integer.BYTES);
        provideRoom();
        lastChunk.memory().buffer().putInt(writeOffset, count);
        writeOffset += Integer.BYTES;
    }

    /** Goes on to the bytes of the next packet. */
    private void readPacketLength() {
        skip(BitUtil.align(readOffset, Integer.BYTES) - readOffset);
        firstRun.length = firstChunk.memory().buffer().getInt(readOffset);
        skip(Integer.BYTES);
    }

    private void copy(final DirectBuffer buffer, final int offset, final int count) {
        int done = 0;
        while (done < count) {
            provideRoom();
            final int part = Math.min(count - done, ChunkPool.CHUNK_LENGTH - writeOffset);
            lastChunk.memory().buffer().putBytes(writeOffset, buffer, offset + done, part);
            writeOffset += part;
            done += part;
        }
    }

    /** Moves the read position forward, and gives back the chunks before it. */
    private void skip(final int count) {
        int left = count;
        while (left > 0) {
            final int part = Math.min(left, ChunkPool.CHUNK_LENGTH - readOffset);
            readOffset += part;
            left -= part;
            if (readOffset == ChunkPool.CHUNK_LENGTH) {
                removeFirstChunk();
                readOffset = 0;
            }
        }
    }

    /** Adds a chunk if the last one is full. */
    private void provideRoom() {
        if (writeOffset == ChunkPool.CHUNK_LENGTH) {
            addChunk();
            writeOffset = 0;
        }
    }

    private void addChunk() {
        final Chunk chunk = pool.take();
        if (lastChunk == null) {
            firstChunk = chunk;
        } else {
            lastChunk.next = chunk;
        }
        lastChunk = chunk;
    }

    private void removeFirstChunk() {
        final Chunk chunk = firstChunk;
        firstChunk = chunk.next;
        if (firstChunk == null) {
            lastChunk = null;
        }
        pool.giveBack(chunk);
    }

    private void releaseChunks() {
        while (firstChunk != null) {
            removeFirstChunk();
        }
        readOffset = 0;
        writeOffset = ChunkPool.CHUNK_LENGTH;
    }
}
