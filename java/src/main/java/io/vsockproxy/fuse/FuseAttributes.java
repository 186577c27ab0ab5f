/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.fuse;

import io.vsockproxy.posix.FileAttributes;
import java.util.concurrent.TimeUnit;
import org.agrona.DirectBuffer;
import org.agrona.MutableDirectBuffer;

/**
 * The layouts around a file's attributes: {@code struct fuse_attr}, the two answers that carry one ({@code
 * fuse_attr_out}, {@code fuse_entry_out}), and {@code struct fuse_setattr_in}.
 *
 * <pre>
 *   attr        0        8        16       24       32       40       48      52      56
 *              +--------+--------+--------+--------+--------+--------+-------+-------+-------+
 *              | ino    | size   | blocks | atime  | mtime  | ctime  | their nanoseconds     |
 *              +--------+--------+--------+--------+--------+--------+-------+-------+-------+
 *               60       64       68       72       76       80       84       88
 *              +--------+--------+--------+--------+--------+--------+--------+
 *              | mode   | nlink  | uid    | gid    | rdev   | blksize| flags  |
 *              +--------+--------+--------+--------+--------+--------+--------+
 *   attr_out    0                 8            12       16                     104
 *              +-----------------+------------+--------+----------------------+
 *              | attr valid s    | valid ns   | unused | attr                 |
 *              +-----------------+------------+--------+----------------------+
 *   entry_out   0        8        16       24       32       36       40              128
 *              +--------+--------+--------+--------+--------+--------+---------------+
 *              | nodeid | genera.| entry  | attr   | entry  | attr   | attr          |
 *              |        |        | valid s| valid s| v. ns  | v. ns  |               |
 *              +--------+--------+--------+--------+--------+--------+---------------+
 *   setattr_in  0        4        8        16       24                68       72       76       80       84       88
 *              +--------+--------+--------+--------+-----------------+--------+--------+--------+--------+--------+
 *              | valid  | unused | fh     | size   | lock owner,     | mode   | unused | uid    | gid    | unused |
 *              |        |        |        |        | times           |        |        |        |        |        |
 *              +--------+--------+--------+--------+-----------------+--------+--------+--------+--------+--------+
 * </pre>
 *
 * <p>All validity times are always 0: each fstat asks anew, and each path is looked up anew.
 */
final class FuseAttributes {
    static final int LENGTH = 88;
    static final int ATTR_OUT_LENGTH = 16 + LENGTH;
    static final int ENTRY_OUT_LENGTH = 40 + LENGTH;
    static final int SETATTR_IN_LENGTH = 88;

    /**
     * st_blksize, in bytes: how much buffered readers ask for at a time. Each of their reads is a round trip to the
     * owner.
     */
    static final int BLOCK_SIZE = 65536;

    /** The unit of st_blocks, in bytes. */
    static final int SECTOR = 512;
    /** The permission, set-id and sticky bits, without the type. */
    private static final int PERMISSIONS = 07777;
    private static final long NS_PER_SECOND = TimeUnit.SECONDS.toNanos(1);

    private FuseAttributes() {
    }

    /**
     * Writes a {@code fuse_attr}.
     *
     * @param type       S_IFREG or S_IFDIR, whatever the mode in {@code attributes} says.
     * @param attributes the file's attributes; only the permissions are taken from their mode.
     */
    static void put(
        final MutableDirectBuffer buffer,
        final int offset,
        final long inode,
        final int type,
        final FileAttributes attributes,
        final int uid,
        final int gid) {
        buffer.putLong(offset, inode);
        buffer.putLong(offset + 8, attributes.size());
        buffer.putLong(offset + 16, attributes.blocks());
        putTime(buffer, offset + 24, offset + 48, attributes.accessTimeNs());
        putTime(buffer, offset + 32, offset + 52, attributes.modificationTimeNs());
        putTime(buffer, offset + 40, offset + 56, attributes.changeTimeNs());
        buffer.putInt(offset + 60, type | (attributes.mode() & PERMISSIONS));
        buffer.putInt(offset + 64, attributes.links());
        buffer.putInt(offset + 68, uid);
        buffer.putInt(offset + 72, gid);
        buffer.putInt(offset + 76, 0);
        buffer.putInt(offset + 80, BLOCK_SIZE);
        buffer.putInt(offset + 84, 0);
    }

    private static void putTime(
        final MutableDirectBuffer buffer, final int secondsOffset, final int nanosecondsOffset, final long timeNs) {
        buffer.putLong(secondsOffset, Math.floorDiv(timeNs, NS_PER_SECOND));
        buffer.putInt(nanosecondsOffset, (int) Math.floorMod(timeNs, NS_PER_SECOND));
    }

    /** Writes what precedes the attributes in a {@code fuse_attr_out}; returns where they begin. */
    static int beginAttrOut(final MutableDirectBuffer buffer, final int offset) {
        buffer.setMemory(offset, ATTR_OUT_LENGTH - LENGTH, (byte) 0);
        return offset + ATTR_OUT_LENGTH - LENGTH;
    }

    /** Writes what precedes the attributes in a {@code fuse_entry_out}; returns where they begin. */
    static int beginEntryOut(final MutableDirectBuffer buffer, final int offset, final long nodeId) {
        buffer.setMemory(offset, ENTRY_OUT_LENGTH - LENGTH, (byte) 0);
        buffer.putLong(offset, nodeId);
        return offset + ENTRY_OUT_LENGTH - LENGTH;
    }

    /** The attributes that a {@code fuse_setattr_in} changes: FATTR_ bits. */
    static int setattrValid(final DirectBuffer buffer, final int offset) {
        return buffer.getInt(offset);
    }

    /** The new size, when FATTR_SIZE is set. */
    static long setattrSize(final DirectBuffer buffer, final int offset) {
        return buffer.getLong(offset + 16);
    }

    /** The new permissions, when FATTR_MODE is set. */
    static int setattrPermissions(final DirectBuffer buffer, final int offset) {
        return buffer.getInt(offset + 68) & PERMISSIONS;
    }

    /** The new owner, when FATTR_UID is set. */
    static int setattrUid(final DirectBuffer buffer, final int offset) {
        return buffer.getInt(offset + 76);
    }

    /** The new group, when FATTR_GID is set. */
    static int setattrGid(final DirectBuffer buffer, final int offset) {
        return buffer.getInt(offset + 80);
    }

    /** The permissions in {@code mode}. */
    static int permissions(final int mode) {
        return mode & PERMISSIONS;
    }
}
