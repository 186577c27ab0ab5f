/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.link;

import io.vsockproxy.posix.Errno;
import io.vsockproxy.posix.IoVec;
import io.vsockproxy.posix.Memory;
import org.agrona.concurrent.UnsafeBuffer;

/**
 * Keeps the framing intact when an {@link ExternalPiece} can no longer be read.
 *
 * <p>What the kernel does (measured on Linux 6.18): sendmsg(2) to an AF_UNIX stream copies 36,544 bytes at a time, and
 * a fault discards the portion in which it happens. So when a file has been truncated, the call returns EFAULT with
 * nothing sent if the fault is in the first portion; otherwise it returns the number of bytes in the portions before,
 * and the next call returns EFAULT. No signal is raised. AF_VSOCK does the same packet by packet, but reports the fault
 * as ENOMEM (according to its source: virtio_transport_alloc_skb has no other error). The mapped page that contains the
 * end of the file does not fault: what is behind the end reads as zeros.
 *
 * <p>What is done: a frame of which nothing has been sent gets a new header, for as many bytes as the file still has,
 * for none, or for an error. A frame of which something has been sent must keep its promised length: the bytes that the
 * file still has are sent, and then zeros. If a file faults although its size says it should not (it was truncated and
 * has grown again, or its disk fails), it is tried {@value #MAX_FAULTS} times and then reported as EIO, or filled up
 * with zeros.
 */
final class ExternalRepair implements AutoCloseable {
    private static final int MAX_FAULTS = 4;
    private static final int MIN_ZERO_LENGTH = 1 << 20;

    private final UnsafeBuffer ring;
    private final UnsafeBuffer pieceTable;
    private final int[] headerFrom;
    private final int[] headerTo;
    private final int[] promised;
    private final int[] zeros;
    private final int[] faults;
    private final boolean[] spent;
    private Memory zeroMemory;
    private int externalChange;

    ExternalRepair(final UnsafeBuffer ring, final UnsafeBuffer pieceTable, final int pieceCapacity) {
        this.ring = ring;
        this.pieceTable = pieceTable;
        headerFrom = new int[pieceCapacity];
        headerTo = new int[pieceCapacity];
        promised = new int[pieceCapacity];
        zeros = new int[pieceCapacity];
        faults = new int[pieceCapacity];
        spent = new boolean[pieceCapacity];
    }

    /** Whether an error of sendmsg may mean that memory could not be read. */
    static boolean isFault(final int result) {
        return result == -Errno.EFAULT || result == -Errno.ENOMEM;
    }

    /**
     * Entry {@code piece} of the table is now a new external piece, with its header at [{@code from}, {@code to}) in
     * the ring.
     */
    void begin(final int piece, final int from, final int to) {
        headerFrom[piece] = from;
        headerTo[piece] = to;
        promised[piece] = (int) IoVec.length(pieceTable, piece);
        zeros[piece] = 0;
        faults[piece] = 0;
        spent[piece] = false;
    }

    /** The address of the header of {@code piece}, as long as nothing of it has been sent. */
    long headerAddress(final int piece, final long ringAddress) {
        return ringAddress + headerFrom[piece];
    }

    /** Whether nothing is left of the piece that could fault, so that an error must have another reason. */
    boolean isSpent(final int piece) {
        return spent[piece];
    }

    /** Whether zeros are to follow what is left of the piece in the table. */
    boolean hasZeros(final int piece) {
        return zeros[piece] > 0;
    }

    /** The piece's bytes in the table have been sent: puts the zeros in their place. */
    void startZeros(final int piece) {
        IoVec.set(pieceTable, piece, zeroAddress(zeros[piece]), zeros[piece]);
        zeros[piece] = 0;
        spent[piece] = true;
    }

    /** By how many bytes the last call has shortened the external piece. */
    int externalChange() {
        return externalChange;
    }

    /**
     * For a frame of which nothing has been sent: writes its header again, to promise no more than there is.
     *
     * @param faulted whether sending it has just failed.
     * @return by how many bytes the frame is shorter now.
     */
    int shorten(
        final int piece, final ExternalPiece external, final int header, final long ringAddress,
        final boolean faulted) {
        externalChange = 0;
        if (spent[piece]) {
            return 0;
        }
        int readable = external.readableLength();
        if (faulted && ++faults[piece] >= MAX_FAULTS && readable >= 0) {
            readable = -Errno.EIO;
        }
        if (readable >= promised[piece]) {
            return 0;
        }
        final int from = external.reframe(ring, headerFrom[piece], headerTo[piece], readable);
        final int headerChange = from - headerFrom[piece];
        final int kept = Math.max(0, readable);
        externalChange = promised[piece] - kept;
        headerFrom[piece] = from;
        promised[piece] = kept;
        spent[piece] = kept == 0;
        IoVec.set(pieceTable, header, ringAddress + from, headerTo[piece] - from);
        IoVec.set(pieceTable, piece, IoVec.address(pieceTable, piece), kept);
        return headerChange + externalChange;
    }

    /**
     * For a frame of which something has been sent, and whose sending has just failed: replaces what is missing with
     * zeros.
     */
    void substitute(final int piece, final ExternalPiece external) {
        externalChange = 0;
        if (spent[piece]) {
            return;
        }
        final int remaining = (int) IoVec.length(pieceTable, piece);
        final int sent = promised[piece] - zeros[piece] - remaining;
        final int readable = ++faults[piece] >= MAX_FAULTS ? 0 : external.readableLength();
        final int left = Math.max(0, Math.min(remaining, readable - sent));
        zeros[piece] += remaining - left;
        if (left > 0) {
            IoVec.set(pieceTable, piece, IoVec.address(pieceTable, piece), left);
        } else {
            startZeros(piece);
        }
    }

    @Override
    public void close() {
        if (zeroMemory != null) {
            zeroMemory.close();
        }
    }

    /**
     * The address of {@code length} zeros. They are never written to, so that every page is the kernel's shared zero
     * page.
     */
    private long zeroAddress(final int length) {
        if (zeroMemory != null && zeroMemory.length() < length) {
            // Only the first piece in the table ever points there, and that is the one being set.
            zeroMemory.close();
            zeroMemory = null;
        }
        if (zeroMemory == null) {
            zeroMemory = Memory.allocate(Math.max(length, MIN_ZERO_LENGTH));
        }
        return zeroMemory.address();
    }
}
