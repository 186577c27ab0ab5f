/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.fuse;

import org.agrona.DirectBuffer;
import org.agrona.MutableDirectBuffer;

/**
 * The layouts of the smaller requests and answers. (O_, FOPEN_ and FUSE_ stand for flags with these prefixes.)
 *
 * <pre>
 *   read_in, write_in   0          8          16       20       24           32       36       40
 *                      +----------+----------+--------+--------+------------+--------+--------+
 *                      | fh       | offset   | size   | flags  | lock owner | O_     | unused |  write: data
 *                      +----------+----------+--------+--------+------------+--------+--------+
 *   open_in             0        4        8
 *                      +--------+--------+
 *                      | O_     | unused |
 *                      +--------+--------+
 *   open_out            0                 8             12       16
 *                      +-----------------+-------------+--------+
 *                      | fh              | FOPEN_      | unused |
 *                      +-----------------+-------------+--------+
 *   write_out           0        4        8
 *                      +--------+--------+
 *                      | size   | unused |
 *                      +--------+--------+
 *   forget_in           0                 8
 *                      +-----------------+
 *                      | lookups         |
 *                      +-----------------+
 *   batch_forget_in     0        4        8                 16                24
 *                      +--------+--------+-----------------+-----------------+
 *                      | count  | unused | nodeid          | lookups         |  and so on: count times
 *                      +--------+--------+-----------------+-----------------+
 *   interrupt_in        0                 8
 *                      +-----------------+
 *                      | unique          |
 *                      +-----------------+
 *   access_in           0        4        8
 *                      +--------+--------+
 *                      | mask   | unused |
 *                      +--------+--------+
 *   fsync_in            0                 8            12       16
 *                      +-----------------+-------------+--------+
 *                      | fh              | FUSE_FSYNC_ | unused |
 *                      +-----------------+-------------+--------+
 *   poll_in             0        8        16       20       24
 *                      +--------+--------+--------+--------+
 *                      | fh     | kh     | flags  | events |
 *                      +--------+--------+--------+--------+
 *   poll_out            0        4        8
 *                      +--------+--------+
 *                      | events | unused |
 *                      +--------+--------+
 *   notify_poll_wakeup  0                 8
 *                      +-----------------+
 *                      | kh              |
 *                      +-----------------+
 *   statfs_out          0        8       16       24      32      40      44        48       52          80
 *                      +--------+-------+--------+-------+-------+-------+---------+--------+-----------+
 *                      | blocks | bfree | bavail | files | ffree | bsize | namelen | frsize | unused    |
 *                      +--------+-------+--------+-------+-------+-------+---------+--------+-----------+
 * </pre>
 */
final class FuseArguments {
    static final int READ_IN_LENGTH = 40;
    static final int WRITE_IN_LENGTH = 40;
    static final int OPEN_IN_LENGTH = 8;
    static final int OPEN_OUT_LENGTH = 16;
    static final int WRITE_OUT_LENGTH = 8;
    static final int FORGET_IN_LENGTH = 8;
    static final int BATCH_FORGET_IN_LENGTH = 8;
    static final int FORGET_ONE_LENGTH = 16;
    static final int INTERRUPT_IN_LENGTH = 8;
    static final int ACCESS_IN_LENGTH = 8;
    static final int STATFS_OUT_LENGTH = 80;
    static final int FSYNC_IN_LENGTH = 16;
    static final int POLL_IN_LENGTH = 24;
    static final int POLL_OUT_LENGTH = 8;
    static final int WAKE_UP_LENGTH = 8;

    private static final int STATFS_BLOCK_SIZE = 4096;
    /** 1 TiB. */
    private static final long STATFS_BLOCKS = (1L << 40) / STATFS_BLOCK_SIZE;
    private static final int NAME_MAX = 255;

    private FuseArguments() {
    }

    /** The file offset of a read or a write, in bytes. */
    static long ioOffset(final DirectBuffer buffer, final int offset) {
        return buffer.getLong(offset + 8);
    }

    /** How many bytes are to be read, or follow a write; unsigned. */
    static int ioSize(final DirectBuffer buffer, final int offset) {
        return buffer.getInt(offset + 16);
    }

    /** FUSE_READ_ or FUSE_WRITE_ bits. */
    static int ioFlags(final DirectBuffer buffer, final int offset) {
        return buffer.getInt(offset + 20);
    }

    /** The present file status flags of the open file that is read or written. */
    static int ioStatusFlags(final DirectBuffer buffer, final int offset) {
        return buffer.getInt(offset + 32);
    }

    /** FUSE_FSYNC_ bits. */
    static int fsyncFlags(final DirectBuffer buffer, final int offset) {
        return buffer.getInt(offset + 8);
    }

    /** The kernel's handle of the open file that is polled. */
    static long pollHandle(final DirectBuffer buffer, final int offset) {
        return buffer.getLong(offset + 8);
    }

    /** FUSE_POLL_ bits. */
    static int pollFlags(final DirectBuffer buffer, final int offset) {
        return buffer.getInt(offset + 16);
    }

    /** The events of poll(2) that are waited for. */
    static int pollEvents(final DirectBuffer buffer, final int offset) {
        return buffer.getInt(offset + 20);
    }

    static void putPollOut(final MutableDirectBuffer buffer, final int offset, final int events) {
        buffer.putInt(offset, events);
        buffer.putInt(offset + 4, 0);
    }

    /** The open(2) flags of an {@code open_in}. */
    static int openFlags(final DirectBuffer buffer, final int offset) {
        return buffer.getInt(offset);
    }

    static void putOpenOut(
        final MutableDirectBuffer buffer, final int offset, final long handle, final int fopenFlags) {
        buffer.putLong(offset, handle);
        buffer.putInt(offset + 8, fopenFlags);
        buffer.putInt(offset + 12, 0);
    }

    static void putWriteOut(final MutableDirectBuffer buffer, final int offset, final int size) {
        buffer.putInt(offset, size);
        buffer.putInt(offset + 4, 0);
    }

    /** How many lookups a {@code forget_in} takes back; unsigned. */
    static long forgetLookups(final DirectBuffer buffer, final int offset) {
        return buffer.getLong(offset);
    }

    /** How many entries of a {@code batch_forget_in} follow; unsigned. */
    static int batchForgetCount(final DirectBuffer buffer, final int offset) {
        return buffer.getInt(offset);
    }

    /** The node id in an entry of {@link #FORGET_ONE_LENGTH} bytes at {@code offset}. */
    static long forgetOneNodeId(final DirectBuffer buffer, final int offset) {
        return buffer.getLong(offset);
    }

    static long forgetOneLookups(final DirectBuffer buffer, final int offset) {
        return buffer.getLong(offset + 8);
    }

    /** The number of the interrupted request. */
    static long interruptUnique(final DirectBuffer buffer, final int offset) {
        return buffer.getLong(offset);
    }

    /** R_OK, W_OK, X_OK bits. */
    static int accessMask(final DirectBuffer buffer, final int offset) {
        return buffer.getInt(offset);
    }

    /**
     * Writes the statistics of a file system with plenty of room: only each file's owner knows how much there really
     * is, and answers ENOSPC. No inodes, because nothing can be created in it.
     */
    static void putStatfsOut(final MutableDirectBuffer buffer, final int offset) {
        buffer.setMemory(offset, STATFS_OUT_LENGTH, (byte) 0);
        buffer.putLong(offset, STATFS_BLOCKS);
        buffer.putLong(offset + 8, STATFS_BLOCKS);
        buffer.putLong(offset + 16, STATFS_BLOCKS);
        buffer.putInt(offset + 40, STATFS_BLOCK_SIZE);
        buffer.putInt(offset + 44, NAME_MAX);
        buffer.putInt(offset + 48, STATFS_BLOCK_SIZE);
    }
}
