/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.link;

import io.vsockproxy.posix.Constants;
import io.vsockproxy.posix.ControlData;
import io.vsockproxy.posix.Errno;
import io.vsockproxy.posix.IoVec;
import io.vsockproxy.posix.Memory;
import io.vsockproxy.posix.Syscalls;
import org.agrona.BitUtil;
import org.agrona.concurrent.UnsafeBuffer;

/**
 * What is to be sent: frames are built in place in a ring, and leave in one gathered call.
 *
 * <pre>
 *   ring:    ...| header frame | gap | header frame header frame |        free        |
 *               ^ head               (two frames, one piece)     ^ tail
 *   pieces:     [address, length]    [address, length]              a table of struct iovec
 * </pre>
 *
 * <p>A claim is contiguous. Whoever claims may use less of it at either end: a blob is received behind room for the
 * longest header and its header is then written right-aligned in front, so a few bytes before a frame may stay unused.
 * Frames that touch become one piece. Descriptors ride on the first byte of their frame, which therefore begins a call.
 *
 * <p>Two bounds: bytes read from local sources may only fill {@code dataLimit}, so that the messages which must be sent
 * (closes, answers) have the rest of the ring for themselves. When even that is used up the peer has stopped reading
 * while it goes on asking, and its session has to end.
 */
public final class OutboundRing implements AutoCloseable {
    /** No room for that much now. */
    public static final int NO_ROOM = -1;

    /** For a {@link #commit(int, int, int[])} with none. */
    public static final int[] NO_DESCRIPTORS = {};

    private static final int PIECE_CAPACITY = 1024;
    private static final int PIECE_MASK = PIECE_CAPACITY - 1;
    /** Pieces kept for messages that must be sent; they nearly always extend the piece before them. */
    private static final int RESERVED_PIECES = 64;
    private static final int SEND_FLAGS = Constants.MSG_DONTWAIT | Constants.MSG_NOSIGNAL;

    private final Memory ring;
    private final UnsafeBuffer buffer;
    private final Memory pieces;
    private final UnsafeBuffer pieceTable;
    private final long[] pieceEnds = new long[PIECE_CAPACITY];
    private final int[][] pieceDescriptors = new int[PIECE_CAPACITY][];
    private final Memory descriptorScratch;
    private final int mask;
    private final int dataLimit;
    private long head;
    private long tail;
    private long pieceHead;
    private long pieceTail;
    private long pendingBytes;
    private long bytesSent;
    private long claimStart;
    private int claimLength;

    /**
     * @param capacity  bytes, a power of two.
     * @param dataLimit how much of it {@link #claimData} may fill, in bytes.
     */
    public OutboundRing(final int capacity, final int dataLimit) {
        if (!BitUtil.isPowerOfTwo(capacity) || dataLimit > capacity / 2) {
            throw new IllegalArgumentException("capacity=" + capacity + ", dataLimit=" + dataLimit);
        }
        ring = Memory.allocate(capacity);
        buffer = ring.buffer();
        pieces = Memory.allocate(PIECE_CAPACITY * IoVec.LENGTH);
        pieceTable = pieces.buffer();
        descriptorScratch = Memory.allocate(ControlData.MAX_DESCRIPTORS * Integer.BYTES);
        mask = capacity - 1;
        this.dataLimit = dataLimit;
    }

    /** The ring's bytes; only a claim's may be written. */
    public UnsafeBuffer buffer() {
        return buffer;
    }

    /** The address of the claimed bytes [{@code index}, {@code index + length}). */
    public long address(final int index, final int length) {
        return ring.address(index, length);
    }

    /** Bytes of frames that wait to be sent. */
    public long pendingBytes() {
        return pendingBytes;
    }

    /** Whether so much has left that local sources are worth reading again. */
    public boolean hasDataRoom() {
        return tail - head <= dataLimit / 2 && pieceTail - pieceHead <= PIECE_CAPACITY / 2;
    }

    /** Bytes sent so far. */
    public long bytesSent() {
        return bytesSent;
    }

    /** Whether nothing waits to be sent. */
    public boolean isEmpty() {
        return pieceHead == pieceTail;
    }

    /**
     * Claims room for bytes read from a local source.
     *
     * @param minimum bytes without which the claim is of no use.
     * @param maximum bytes that would be welcome.
     * @return the index of the first byte, with {@link #claimLength} from {@code minimum} to {@code maximum};
     *     or {@link #NO_ROOM}.
     */
    public int claimData(final int minimum, final int maximum) {
        if (pieceTail - pieceHead >= PIECE_CAPACITY - RESERVED_PIECES) {
            return NO_ROOM;
        }
        return claim(minimum, maximum, dataLimit);
    }

    /**
     * Claims room for a message that has to be sent.
     *
     * @return the index of the first byte, or {@link #NO_ROOM}: the peer has stopped reading while it goes on asking.
     */
    public int claimControl(final int length) {
        if (pieceTail - pieceHead >= PIECE_CAPACITY - 2) {
            return NO_ROOM;
        }
        return claim(length, length, buffer.capacity());
    }

    /** How many bytes the last successful claim got. */
    public int claimLength() {
        return claimLength;
    }

    /**
     * Ends the claim: the bytes [{@code from}, {@code to}) of it, one or more whole frames, are to be sent.
     */
    public void commit(final int from, final int to) {
        commit(from, to, NO_DESCRIPTORS);
    }

    /**
     * Ends the claim: the bytes [{@code from}, {@code to}) of it, one frame, are to be sent.
     *
     * @param descriptors ride on the frame's first byte. Takes ownership: they are closed once sent, or when this ring
     *                    closes. At most 253.
     */
    public void commit(final int from, final int to, final int[] descriptors) {
        final int claimIndex = (int) claimStart & mask;
        if (from < claimIndex || to <= from || to > claimIndex + claimLength) {
            throw new IndexOutOfBoundsException("commit [" + from + ", " + to + ") of claim [" + claimIndex + ", "
                + (claimIndex + claimLength) + ")");
        }
        tail = claimStart + (to - claimIndex);
        claimLength = 0;
        pendingBytes += to - from;
        final long address = ring.address(from, to - from);
        if (descriptors.length == 0 && pieceTail > pieceHead) {
            final int last = (int) (pieceTail - 1) & PIECE_MASK;
            final long lastAddress = IoVec.address(pieceTable, last);
            final long lastLength = IoVec.length(pieceTable, last);
            if (lastAddress + lastLength == address) {
                IoVec.set(pieceTable, last, lastAddress, lastLength + (to - from));
                pieceEnds[last] = tail;
                return;
            }
        }
        final int piece = (int) pieceTail & PIECE_MASK;
        IoVec.set(pieceTable, piece, address, to - from);
        pieceEnds[piece] = tail;
        pieceDescriptors[piece] = descriptors.length == 0 ? null : descriptors;
        pieceTail++;
    }

    /** Ends the claim with nothing to be sent. */
    public void abort() {
        claimLength = 0;
    }

    /**
     * Sends as much as the socket takes, without waiting.
     *
     * @return 0 when all is sent, {@code -EAGAIN} when the socket is full, or another {@code -errno}.
     */
    public int flush(final int fd) {
        while (pieceHead < pieceTail) {
            final int first = (int) pieceHead & PIECE_MASK;
            final int[] descriptors = pieceDescriptors[first];
            final int count = callLength(first);
            final long offered = offeredBytes(first, count);
            final int sent = Syscalls.sendmsg(
                fd, pieces.address(first * IoVec.LENGTH, count * IoVec.LENGTH), count, SEND_FLAGS,
                descriptors == null ? 0 : copyToScratch(descriptors), descriptors == null ? 0 : descriptors.length);
            if (sent < 0) {
                return sent;
            }
            if (descriptors != null) {
                closeDescriptors(first);
            }
            take(sent);
            if (sent < offered) {
                return -Errno.EAGAIN;
            }
        }
        return 0;
    }

    /** Drops what has not been sent, and closes the descriptors that were to ride along. */
    public void discard() {
        while (pieceHead < pieceTail) {
            closeDescriptors((int) pieceHead & PIECE_MASK);
            pieceHead++;
        }
        pendingBytes = 0;
        head = tail;
    }

    @Override
    public void close() {
        discard();
        ring.close();
        pieces.close();
        descriptorScratch.close();
    }

    private int claim(final int minimum, final int maximum, final int fillLimit) {
        if (head == tail) {
            // Starting over keeps the pages in use few, and the claims long.
            head = 0;
            tail = 0;
        }
        final int index = (int) tail & mask;
        final int toEnd = buffer.capacity() - index;
        final long free = fillLimit - (tail - head);
        if (Math.min(toEnd, free) >= minimum) {
            claimStart = tail;
            claimLength = (int) Math.min(maximum, Math.min(toEnd, free));
            return index;
        }
        if (free - toEnd >= minimum) {
            claimStart = tail + toEnd;
            claimLength = (int) Math.min(maximum, free - toEnd);
            return 0;
        }
        return NO_ROOM;
    }

    /** Pieces that can leave in one call from {@code first} on: up to the table's end, or a piece with descriptors. */
    private int callLength(final int first) {
        final int available = (int) Math.min(pieceTail - pieceHead, PIECE_CAPACITY - first);
        int count = 1;
        while (count < available && pieceDescriptors[first + count] == null) {
            count++;
        }
        return count;
    }

    private long offeredBytes(final int first, final int count) {
        long bytes = 0;
        for (int i = 0; i < count; i++) {
            bytes += IoVec.length(pieceTable, first + i);
        }
        return bytes;
    }

    private void take(final int sent) {
        pendingBytes -= sent;
        bytesSent += sent;
        int left = sent;
        while (left > 0) {
            final int piece = (int) pieceHead & PIECE_MASK;
            final long length = IoVec.length(pieceTable, piece);
            if (left < length) {
                IoVec.set(pieceTable, piece, IoVec.address(pieceTable, piece) + left, length - left);
                head = pieceEnds[piece] - (length - left);
                return;
            }
            left -= (int) length;
            head = pieceEnds[piece];
            pieceHead++;
        }
    }

    private long copyToScratch(final int[] descriptors) {
        final UnsafeBuffer scratch = descriptorScratch.buffer();
        for (int i = 0; i < descriptors.length; i++) {
            scratch.putInt(i * Integer.BYTES, descriptors[i]);
        }
        return descriptorScratch.address(0, descriptors.length * Integer.BYTES);
    }

    private void closeDescriptors(final int piece) {
        final int[] descriptors = pieceDescriptors[piece];
        if (descriptors != null) {
            pieceDescriptors[piece] = null;
            for (final int descriptor : descriptors) {
                Syscalls.close(descriptor);
            }
        }
    }
}
