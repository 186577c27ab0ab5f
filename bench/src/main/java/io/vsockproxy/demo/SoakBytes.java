/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.demo;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.agrona.concurrent.UnsafeBuffer;

/**
 * Bytes whose values follow from their positions, so that what arrives can be checked however it is divided: a lost,
 * repeated, moved or changed byte shows, and its position too. For one thread.
 */
final class SoakBytes {
    /** The most at once. */
    static final int CHUNK_LENGTH = 64 << 10;

    private static final long STEP = 0x9E3779B97F4A7C15L;

    private final long seed;
    private final UnsafeBuffer chunk = new UnsafeBuffer(ByteBuffer.allocateDirect(CHUNK_LENGTH + 2 * Long.BYTES));
    private final UnsafeBuffer expected = new UnsafeBuffer(ByteBuffer.allocateDirect(CHUNK_LENGTH + 2 * Long.BYTES));

    SoakBytes(final long seed) {
        this.seed = seed;
    }

    /** The address of the {@code length} bytes at {@code position}, which stay until the next call. */
    long put(final long position, final int length) {
        final int skip = fill(chunk, position, length);
        return chunk.addressOffset() + skip;
    }

    /** Where {@link #CHUNK_LENGTH} bytes may be received. */
    long receiveAddress() {
        return chunk.addressOffset();
    }

    /** Makes the first of what was {@link #put} say that a frame of {@code length} bytes follows. */
    void frame(final long length) {
        chunk.putLong(0, length, ByteOrder.LITTLE_ENDIAN);
    }

    /** Forgets what was {@link #put}. */
    void clear() {
        chunk.setMemory(0, chunk.capacity(), (byte) 0);
    }

    /**
     * Compares what was received.
     *
     * @throws WrongByteException when it is not what belongs at {@code position}.
     */
    void check(final String what, final long position, final int length) {
        final int skip = fill(expected, position, length);
        for (int i = 0; i < length; i++) {
            if (chunk.getByte(i) != expected.getByte(skip + i)) {
                throw new WrongByteException(String.format("%s: wrong byte at %d (seed %d): expected %02x, got %02x",
                    what, position + i, seed, expected.getByte(skip + i) & 0xFF, chunk.getByte(i) & 0xFF), false);
            }
        }
    }

    private int fill(final UnsafeBuffer buffer, final long position, final int length) {
        final long first = position / Long.BYTES;
        final int skip = (int) (position % Long.BYTES);
        for (int i = 0; i < length + skip; i += Long.BYTES) {
            // Splitmix64: any word by itself.
            long word = seed + (first + i / Long.BYTES) * STEP;
            word = (word ^ (word >>> 30)) * 0xBF58476D1CE4E5B9L;
            word = (word ^ (word >>> 27)) * 0x94D049BB133111EBL;
            buffer.putLong(i, word ^ (word >>> 31), ByteOrder.LITTLE_ENDIAN);
        }
        return skip;
    }
}
