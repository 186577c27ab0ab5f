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
import io.vsockproxy.posix.SplicePipe;
import io.vsockproxy.posix.Syscalls;
import org.agrona.BitUtil;
import org.agrona.concurrent.UnsafeBuffer;

/**
 * Frames to be sent: they are built in place in a ring, and sent together in one gathering call.
 *
 * <pre>
 *   ring:    ...| header frame | gap | header frame header frame |        free        |
 *               ^ head               (two frames, one piece)     ^ tail
 *   pieces:     [address, length]    [address, length]              a table of struct iovec
 * </pre>
 *
 * <p>A claim is contiguous, and may be used only in part: a blob is received behind room for the longest header, and
 * its header is then written right-aligned in front of it, so a few bytes before a frame may stay unused. Adjacent
 * frames become one piece. Descriptors are attached to the first byte of their frame, so such a frame always begins a
 * new call.
 *
 * <p>A frame may end with an {@link ExternalPiece}: then its header is in the ring, as a piece of its own, and the next
 * piece points to the bytes outside. Such a piece can turn out to be unreadable: {@link ExternalRepair} describes what
 * is done then.
 *
 * <p>Or a frame may lie in a pipe, with or without its header, one such frame at a time. In the table this is a piece
 * whose address is 0.
 *
 * <p>Four bounds apply: bytes read from local sources fill at most {@code dataLimit} of the ring, which leaves the rest
 * for messages that must be sent (closes, answers); external pieces may add as much again; and the pipe what it holds.
 * When even the rest of the ring is used up, the peer has stopped reading while it goes on asking, and its session has
 * to end.
 *
 * <p>Confined to the loop's thread.
 */
public final class OutboundRing implements AutoCloseable {
    /** There is no room for that much now. */
    public static final int NO_ROOM = -1;

    /** No descriptors, for {@link #commit(int, int, int[])}. */
    public static final int[] NO_DESCRIPTORS = {};

    private static final int PIECE_CAPACITY = 1024;
    private static final int PIECE_MASK = PIECE_CAPACITY - 1;
    /** Pieces reserved for messages that must be sent. Such messages nearly always extend the piece before them. */
    private static final int RESERVED_PIECES = 64;
    /** After a stall, how many of the next bytes to check before sending: more than a socket's buffer holds. */
    private static final long CHECKED_BYTES = 1 << 20;
    private static final int SEND_FLAGS = Constants.MSG_DONTWAIT | Constants.MSG_NOSIGNAL;

    private final Memory ring;
    private final UnsafeBuffer buffer;
    private final Memory pieces;
    private final UnsafeBuffer pieceTable;
    private final long[] pieceEnds = new long[PIECE_CAPACITY];
    private final int[][] pieceDescriptors = new int[PIECE_CAPACITY][];
    private final ExternalPiece[] pieceExternals = new ExternalPiece[PIECE_CAPACITY];
    private final ExternalRepair repair;
    private final Memory descriptorScratch;
    private final int mask;
    private final int dataLimit;
    private long head;
    private long tail;
    private long pieceHead;
    private long pieceTail;
    private long pendingBytes;
    private int descriptorCount;
    private long bytesSent;
    private long externalBytes;
    /** The pipe with a frame, or the end of one, that waits to be sent; or null. */
    private SplicePipe splicePipe;
    private boolean spliceRefused;
    private long claimStart;
    private int claimLength;
    private int refusedMinimum;
    private int refusedExternal;
    private boolean stalled;

    /**
     * @param capacity  bytes, a power of two.
     * @param dataLimit how much of it {@link #claimData} may fill, in bytes; at most half.
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
        repair = new ExternalRepair(buffer, pieceTable, PIECE_CAPACITY);
    }

    /** The ring's bytes. Only those of the open claim may be written. */
    public UnsafeBuffer buffer() {
        return buffer;
    }

    /** The address of the claimed bytes [{@code index}, {@code index + length}). */
    public long address(final int index, final int length) {
        return ring.address(index, length);
    }

    /** Bytes of frames that wait to be sent, including external pieces and the pipe. */
    public long pendingBytes() {
        return pendingBytes;
    }

    /** Descriptors that wait to be sent. */
    public int descriptorCount() {
        return descriptorCount;
    }

    /** Bytes of external pieces that wait to be sent. */
    public long externalBytes() {
        return externalBytes;
    }

    /** Whether enough has been sent for local sources to be read again: the largest claim refused would fit. */
    public boolean hasDataRoom() {
        return tail - head <= dataLimit / 2 && pieceTail - pieceHead <= PIECE_CAPACITY / 2
            && (externalBytes == 0 || externalBytes <= dataLimit - Math.max(refusedExternal, dataLimit / 2))
            && !(spliceRefused && splicePipe != null) && fits(refusedMinimum);
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
     * @param minimum the fewest bytes with which the claim is of use.
     * @param maximum the most bytes to claim.
     * @return the index of the first byte, with {@link #claimLength} from {@code minimum} to {@code maximum};
     *     or {@link #NO_ROOM}.
     */
    public int claimData(final int minimum, final int maximum) {
        final int index = pieceTail - pieceHead >= PIECE_CAPACITY - RESERVED_PIECES
            ? NO_ROOM
            : claim(minimum, maximum, dataLimit);
        // For hasDataRoom: a claim of more than half the limit would otherwise be retried, and refused, again and
        // again.
        refusedMinimum = index == NO_ROOM ? Math.max(refusedMinimum, minimum) : 0;
        return index;
    }

    /**
     * Claims room for the header of a frame that ends with {@code externalLength} bytes outside the ring.
     *
     * @return as {@link #claimData}. One external piece is always allowed to wait, however long it is.
     */
    public int claimExternal(final int headerLength, final int externalLength) {
        if (externalBytes > 0 && externalBytes + externalLength > dataLimit) {
            refusedExternal = Math.max(refusedExternal, externalLength);
            return NO_ROOM;
        }
        final int index = claimData(headerLength, headerLength);
        refusedExternal = index == NO_ROOM ? refusedExternal : 0;
        return index;
    }

    /**
     * Claims room for the header of a frame that ends with the contents of a pipe.
     *
     * @return as {@link #claimData}. There is no room as long as another such frame waits.
     */
    public int claimSpliced(final int headerLength) {
        spliceRefused = splicePipe != null;
        return spliceRefused ? NO_ROOM : claimData(headerLength, headerLength);
    }

    /**
     * Claims room for a message that must be sent.
     *
     * @return the index of the first byte, or {@link #NO_ROOM}: the peer has stopped reading while it goes on asking.
     */
    public int claimControl(final int length) {
        if (pieceTail - pieceHead >= PIECE_CAPACITY - 2) {
            return NO_ROOM;
        }
        return claim(length, length, buffer.capacity());
    }

    /** The length of the last successful claim, in bytes. */
    public int claimLength() {
        return claimLength;
    }

    /**
     * Ends the claim: bytes [{@code from}, {@code to}) of it, one or more whole frames, are to be sent.
     */
    public void commit(final int from, final int to) {
        commit(from, to, NO_DESCRIPTORS);
    }

    /**
     * Ends the claim: bytes [{@code from}, {@code to}) of it, one frame, are to be sent.
     *
     * @param descriptors at most 253, attached to the frame's first byte. Takes ownership: they are closed once sent,
     *                    or when they are discarded.
     */
    public void commit(final int from, final int to, final int[] descriptors) {
        endClaim(from, to);
        pendingBytes += to - from;
        final long address = ring.address(from, to - from);
        if (descriptors.length == 0 && pieceTail > pieceHead) {
            final int last = (int) (pieceTail - 1) & PIECE_MASK;
            final long lastAddress = IoVec.address(pieceTable, last);
            final long lastLength = IoVec.length(pieceTable, last);
            if (pieceExternals[last] == null && lastAddress + lastLength == address) {
                IoVec.set(pieceTable, last, lastAddress, lastLength + (to - from));
                pieceEnds[last] = tail;
                return;
            }
        }
        final int piece = addPiece(address, to - from);
        pieceDescriptors[piece] = descriptors.length == 0 ? null : descriptors;
        descriptorCount += descriptors.length;
    }

    /**
     * Ends the claim: bytes [{@code from}, {@code to}) of it are the header of a frame that ends with {@code external},
     * which is released once it has been sent or discarded.
     */
    public void commit(final int from, final int to, final ExternalPiece external) {
        endClaim(from, to);
        // A piece of its own, because the header may have to be written again, shorter.
        addPiece(ring.address(from, to - from), to - from);
        final int piece = addPiece(external.address(), external.length());
        pieceExternals[piece] = external;
        repair.begin(piece, from, to);
        pendingBytes += to - from + (long) external.length();
        externalBytes += external.length();
    }

    /**
     * Ends the claim: bytes [{@code from}, {@code to}) of it are the header of a frame that ends with the contents of
     * {@code pipe}. Nobody else may use the pipe until they have been sent or discarded.
     */
    public void commit(final int from, final int to, final SplicePipe pipe) {
        commit(from, to);
        commit(pipe);
    }

    /**
     * Adds a frame that lies as a whole in {@code pipe}, without a claim. {@link #claimSpliced} must just have had
     * room, and nobody else may use the pipe until the frame has been sent or discarded.
     */
    public void commit(final SplicePipe pipe) {
        addPiece(0, pipe.length());
        pendingBytes += pipe.length();
        splicePipe = pipe;
    }

    /** Ends the claim without sending anything. */
    public void abort() {
        claimLength = 0;
    }

    /**
     * Sends as much as the socket takes, without waiting.
     *
     * @return 0 when all is sent, {@code -EAGAIN} when the socket is full, or another {@code -errno}.
     */
    public int flush(final int fd) {
        boolean narrow = false;
        if (stalled && externalBytes > 0) {
            // Time has passed: a file that was truncated meanwhile still gets a shorter answer, if nothing of its frame
            // has been sent.
            checkUnsent();
        }
        stalled = false;
        while (pieceHead < pieceTail) {
            final int first = (int) pieceHead & PIECE_MASK;
            if (isSpliced(first)) {
                final int result = splice(fd, first);
                if (result < 0) {
                    stalled = result == -Errno.EAGAIN;
                    return result;
                }
                continue;
            }
            final int[] descriptors = pieceDescriptors[first];
            final int count = callLength(first, narrow);
            final long offered = offeredBytes(first, count);
            final int sent = send(fd, first, count, descriptors);
            if (sent < 0) {
                final int external = ExternalRepair.isFault(sent) ? firstExternal(first, count) : -1;
                if (external < 0 || (narrow && repair.isSpent(external))) {
                    stalled = sent == -Errno.EAGAIN;
                    return sent;
                }
                if (narrow) {
                    repair(external, true);
                }
                // From here on, at most one external piece in each call, so that it is known which one faults.
                narrow = true;
                continue;
            }
            if (descriptors != null) {
                closeDescriptors(first);
            }
            take(sent);
            if (sent < offered) {
                stalled = true;
                return -Errno.EAGAIN;
            }
        }
        return 0;
    }

    private int send(final int fd, final int first, final int count, final int[] descriptors) {
        if (count == 1 && descriptors == null) {
            // send(2) takes a twentieth of a microsecond less than sendmsg(2).
            return Syscalls.send(
                fd, IoVec.address(pieceTable, first), (int) IoVec.length(pieceTable, first), SEND_FLAGS);
        }
        return Syscalls.sendmsg(
            fd, pieces.address(first * IoVec.LENGTH, count * IoVec.LENGTH), count, SEND_FLAGS,
            descriptors == null ? 0 : copyToScratch(descriptors), descriptors == null ? 0 : descriptors.length);
    }

    private boolean isSpliced(final int piece) {
        return IoVec.address(pieceTable, piece) == 0;
    }

    /** Sends what is left in the pipe. Returns 0 when everything was sent, or {@code -errno}. */
    private int splice(final int fd, final int piece) {
        final int sent = splicePipe.drainTo(fd);
        if (sent < 0) {
            return sent;
        }
        pendingBytes -= sent;
        bytesSent += sent;
        if (splicePipe.length() > 0) {
            return -Errno.EAGAIN;
        }
        splicePipe = null;
        head = pieceEnds[piece];
        pieceHead++;
        return 0;
    }

    /** Drops what has not been sent, and closes the descriptors attached to it. */
    public void discard() {
        while (pieceHead < pieceTail) {
            final int piece = (int) pieceHead & PIECE_MASK;
            closeDescriptors(piece);
            pieceHead++;
            releaseExternal(piece);
        }
        if (splicePipe != null) {
            splicePipe.discard();
            splicePipe = null;
        }
        pendingBytes = 0;
        externalBytes = 0;
        head = tail;
    }

    @Override
    public void close() {
        discard();
        ring.close();
        pieces.close();
        descriptorScratch.close();
        repair.close();
    }

    private void endClaim(final int from, final int to) {
        final int claimIndex = (int) claimStart & mask;
        if (from < claimIndex || to <= from || to > claimIndex + claimLength) {
            throw new IndexOutOfBoundsException("commit [" + from + ", " + to + ") of claim [" + claimIndex + ", "
                + (claimIndex + claimLength) + ")");
        }
        tail = claimStart + (to - claimIndex);
        claimLength = 0;
    }

    private int addPiece(final long address, final int length) {
        final int piece = (int) pieceTail & PIECE_MASK;
        IoVec.set(pieceTable, piece, address, length);
        pieceEnds[piece] = tail;
        pieceTail++;
        return piece;
    }

    private boolean fits(final int minimum) {
        final int toEnd = buffer.capacity() - ((int) tail & mask);
        final long free = dataLimit - (tail - head);
        return isEmpty() || Math.min(toEnd, free) >= minimum || free - toEnd >= minimum;
    }

    private int claim(final int minimum, final int maximum, final int fillLimit) {
        if (isEmpty()) {
            // Starting over keeps few pages in use, and claims long. Not while an external piece waits, even if its
            // header has been sent: once sent, it sets head to where it was committed.
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

    /**
     * How many pieces from {@code first} on can be sent in one call: up to the end of the table, before a piece with
     * descriptors or one in a pipe, and up to an external one that continues with zeros or, when {@code narrow}, up to
     * any external one.
     */
    private int callLength(final int first, final boolean narrow) {
        final int available = (int) Math.min(pieceTail - pieceHead, PIECE_CAPACITY - first);
        int count = 1;
        while (count < available && pieceDescriptors[first + count] == null
            && !isSpliced(first + count) && !endsCall(first + count - 1, narrow)) {
            count++;
        }
        return count;
    }

    private boolean endsCall(final int piece, final boolean narrow) {
        return pieceExternals[piece] != null && (narrow || repair.hasZeros(piece));
    }

    private int firstExternal(final int first, final int count) {
        for (int i = 0; i < count; i++) {
            if (pieceExternals[first + i] != null) {
                return first + i;
            }
        }
        return -1;
    }

    /**
     * Among the frames that the next call may reach, shortens those whose files have been truncated and of which
     * nothing has been sent.
     */
    private void checkUnsent() {
        long bytes = 0;
        for (long i = pieceHead; i < pieceTail && bytes < CHECKED_BYTES; i++) {
            final int piece = (int) i & PIECE_MASK;
            bytes += IoVec.length(pieceTable, piece);
            if (pieceExternals[piece] != null && !hasBegun(piece)) {
                repair(piece, false);
            }
        }
    }

    private boolean hasBegun(final int external) {
        final int header = (external - 1) & PIECE_MASK;
        // The header is the piece before it, as long as that is unsent.
        return ((int) pieceHead & PIECE_MASK) == external
            || IoVec.address(pieceTable, header) != repair.headerAddress(external, ring.address());
    }

    private void repair(final int external, final boolean faulted) {
        if (hasBegun(external)) {
            repair.substitute(external, pieceExternals[external]);
        } else {
            pendingBytes -= repair.shorten(
                external, pieceExternals[external], (external - 1) & PIECE_MASK, ring.address(), faulted);
            externalBytes -= repair.externalChange();
        }
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
        // A piece that was shortened to nothing is removed together with the piece before it.
        while (pieceHead < pieceTail) {
            final int piece = (int) pieceHead & PIECE_MASK;
            final boolean external = pieceExternals[piece] != null;
            final long length = IoVec.length(pieceTable, piece);
            final int taken = (int) Math.min(left, length);
            left -= taken;
            if (external) {
                externalBytes -= taken;
            }
            if (taken < length) {
                IoVec.set(pieceTable, piece, IoVec.address(pieceTable, piece) + taken, length - taken);
                if (!external) {
                    head = pieceEnds[piece] - (length - taken);
                }
                return;
            }
            if (external && repair.hasZeros(piece)) {
                repair.startZeros(piece);
                return;
            }
            head = pieceEnds[piece];
            pieceHead++;
            releaseExternal(piece);
            if (left == 0 && (pieceHead == pieceTail || IoVec.length(pieceTable, (int) pieceHead & PIECE_MASK) > 0)) {
                return;
            }
        }
    }

    private void releaseExternal(final int piece) {
        final ExternalPiece external = pieceExternals[piece];
        if (external != null) {
            pieceExternals[piece] = null;
            external.release();
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
            descriptorCount -= descriptors.length;
            for (final int descriptor : descriptors) {
                Syscalls.close(descriptor);
            }
        }
    }
}
