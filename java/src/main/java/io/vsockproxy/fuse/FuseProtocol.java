/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.fuse;

/**
 * The FUSE protocol's numbers: operation codes and flags, under the kernel's own names.
 *
 * <p>Source: include/uapi/linux/fuse.h; they are ABI and never change. All fields of all messages are in native byte
 * order.
 */
final class FuseProtocol {
    static final int MAJOR_VERSION = 7;
    /** The newest minor version with which the layouts used here have been checked (Linux 6.18). */
    static final int MINOR_VERSION = 45;
    /**
     * The oldest minor version with {@link #FOPEN_NOFLUSH} (Linux 5.16). Before, close(2) of a file takes its inode's
     * lock (fuse_flush in the kernel's fs/fuse/file.c), which a write holds until it is answered: the loop, which
     * closes descriptors of the mount, could wait for itself.
     */
    static final int MIN_MINOR_VERSION = 35;
    static final long ROOT_ID = 1;

    static final int LOOKUP = 1;
    static final int FORGET = 2;
    static final int GETATTR = 3;
    static final int SETATTR = 4;
    static final int SYMLINK = 6;
    static final int MKNOD = 8;
    static final int MKDIR = 9;
    static final int UNLINK = 10;
    static final int RMDIR = 11;
    static final int RENAME = 12;
    static final int LINK = 13;
    static final int OPEN = 14;
    static final int READ = 15;
    static final int WRITE = 16;
    static final int STATFS = 17;
    static final int RELEASE = 18;
    static final int FSYNC = 20;
    static final int FLUSH = 25;
    static final int INIT = 26;
    static final int OPENDIR = 27;
    static final int READDIR = 28;
    static final int RELEASEDIR = 29;
    static final int FSYNCDIR = 30;
    static final int ACCESS = 34;
    static final int CREATE = 35;
    static final int INTERRUPT = 36;
    static final int DESTROY = 38;
    static final int POLL = 40;
    static final int NOTIFY_REPLY = 41;
    static final int BATCH_FORGET = 42;
    static final int READDIRPLUS = 44;
    static final int RENAME2 = 45;
    static final int TMPFILE = 51;

    static final long FUSE_ASYNC_READ = 1L;
    static final long FUSE_BIG_WRITES = 1L << 5;
    /** Cached pages are also dropped when an fstat shows another modification time. */
    static final long FUSE_AUTO_INVAL_DATA = 1L << 12;
    static final long FUSE_ASYNC_DIO = 1L << 15;
    static final long FUSE_PARALLEL_DIROPS = 1L << 18;
    static final long FUSE_HANDLE_KILLPRIV = 1L << 19;
    static final long FUSE_MAX_PAGES = 1L << 22;
    /** There are more flags, in flags2. */
    static final long FUSE_INIT_EXT = 1L << 30;
    /** mmap(MAP_SHARED) of a file opened for direct I/O: Linux 6.6. */
    static final long FUSE_DIRECT_IO_ALLOW_MMAP = 1L << 36;
    /** No open_by_handle_at: Linux 6.9. */
    static final long FUSE_NO_EXPORT_SUPPORT = 1L << 38;

    static final int FOPEN_DIRECT_IO = 1;
    static final int FOPEN_NONSEEKABLE = 1 << 2;
    /** No file position, so that a waiting read does not hold up a write: Linux 5.1. */
    static final int FOPEN_STREAM = 1 << 4;
    /** close(2) sends no FLUSH: Linux 5.16. */
    static final int FOPEN_NOFLUSH = 1 << 5;
    /** Writes that do not extend the file do not wait for each other: Linux 6.2. */
    static final int FOPEN_PARALLEL_DIRECT_WRITES = 1 << 6;

    static final int FATTR_MODE = 1;
    static final int FATTR_UID = 1 << 1;
    static final int FATTR_GID = 1 << 2;
    static final int FATTR_SIZE = 1 << 3;
    /** An open file is meant: it is ftruncate(2), say, rather than truncate(2) or an open(2) with O_TRUNC. */
    static final int FATTR_FH = 1 << 6;

    /** The data comes from the pages of a shared mapping, not from write(2). */
    static final int FUSE_WRITE_CACHE = 1;

    /** The read comes from read(2), not from touching a mapping. */
    static final int FUSE_READ_LOCKOWNER = 1 << 1;

    /** The times need not be durable. */
    static final int FUSE_FSYNC_FDATASYNC = 1;

    static final int FUSE_POLL_SCHEDULE_NOTIFY = 1;
    /** In place of an error, in a message that answers no request: whoever polls that file must look again. */
    static final int FUSE_NOTIFY_POLL = 1;

    private FuseProtocol() {
    }
}
