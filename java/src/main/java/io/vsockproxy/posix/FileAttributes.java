/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.posix;

import java.util.concurrent.TimeUnit;
import org.agrona.DirectBuffer;

/**
 * What statx(2) tells about a file: size, mode, links, blocks and times. Mutable, so that one object can be used again
 * and again.
 *
 * <p>Times are nanoseconds since 1970, negative before that; times outside a {@code long}'s range (before 1677, after
 * 2262) are clamped to it. When only the size is known, {@link #isComplete} is false and the rest is 0.
 */
public final class FileAttributes {
    private long size;
    private int mode;
    private int links;
    private long blocks;
    private long accessTimeNs;
    private long modificationTimeNs;
    private long changeTimeNs;

    /** Fills this from a {@code struct statx} at the buffer's start; returns this. */
    public FileAttributes readStatx(final DirectBuffer statx) {
        return set(
            statx.getLong(Constants.STATX_SIZE_OFFSET),
            statx.getShort(Constants.STATX_MODE_OFFSET) & 0xFFFF,
            statx.getInt(Constants.STATX_NLINK_OFFSET),
            statx.getLong(Constants.STATX_BLOCKS_OFFSET),
            timeNs(statx, Constants.STATX_ATIME_OFFSET),
            timeNs(statx, Constants.STATX_MTIME_OFFSET),
            timeNs(statx, Constants.STATX_CTIME_OFFSET));
    }

    /**
     * Fills this; returns this.
     *
     * @param newSize   bytes.
     * @param newMode   type and permissions, as st_mode; 0 when nothing but the size is known.
     * @param newLinks  names that the file has, 0 for one that has been unlinked.
     * @param newBlocks of 512 bytes.
     */
    public FileAttributes set(
        final long newSize,
        final int newMode,
        final int newLinks,
        final long newBlocks,
        final long newAccessTimeNs,
        final long newModificationTimeNs,
        final long newChangeTimeNs) {
        size = newSize;
        mode = newMode;
        links = newLinks;
        blocks = newBlocks;
        accessTimeNs = newAccessTimeNs;
        modificationTimeNs = newModificationTimeNs;
        changeTimeNs = newChangeTimeNs;
        return this;
    }

    /** Fills this with a size when nothing else is known; returns this. */
    public FileAttributes setSizeOnly(final long newSize) {
        return set(newSize, 0, 0, 0, 0, 0, 0);
    }

    /** Fills this from another; returns this. */
    public FileAttributes set(final FileAttributes other) {
        return set(other.size, other.mode, other.links, other.blocks,
            other.accessTimeNs, other.modificationTimeNs, other.changeTimeNs);
    }

    /** Whether more than the size is known. */
    public boolean isComplete() {
        return mode != 0;
    }

    /** Bytes. */
    public long size() {
        return size;
    }

    /** Type and permissions, as st_mode. */
    public int mode() {
        return mode;
    }

    /** Names that the file has. */
    public int links() {
        return links;
    }

    /** Blocks of 512 bytes that it takes up. */
    public long blocks() {
        return blocks;
    }

    /** When it was last read, in nanoseconds since 1970. */
    public long accessTimeNs() {
        return accessTimeNs;
    }

    /** When its contents last changed, in nanoseconds since 1970. */
    public long modificationTimeNs() {
        return modificationTimeNs;
    }

    /** When it last changed at all, in nanoseconds since 1970. */
    public long changeTimeNs() {
        return changeTimeNs;
    }

    private static long timeNs(final DirectBuffer statx, final int offset) {
        final long seconds = statx.getLong(offset + Constants.STATX_TIMESTAMP_SECONDS_OFFSET);
        final long nanoseconds = statx.getInt(offset + Constants.STATX_TIMESTAMP_NANOSECONDS_OFFSET);
        final long wholeNs = TimeUnit.SECONDS.toNanos(seconds);
        // Both steps saturate, like TimeUnit's own conversion.
        return wholeNs > Long.MAX_VALUE - nanoseconds || wholeNs == Long.MIN_VALUE ? wholeNs : wholeNs + nanoseconds;
    }
}
