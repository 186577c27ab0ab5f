/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.file;

import io.vsockproxy.posix.Constants;
import io.vsockproxy.posix.Errno;
import io.vsockproxy.posix.Syscalls;
import org.agrona.concurrent.UnsafeBuffer;

/**
 * What to expect of the file system that a file lives on. Found out by a worker, because asking may block.
 */
enum FileSystemKind {
    /** Not found out yet. */
    UNKNOWN,
    /** Any call may wait for a server: FUSE, network and overlay file systems, and any type that is not listed here. */
    SLOW,
    /** Attributes are in this kernel's memory; contents are generated or cannot be mapped: proc, sysfs, hugetlbfs. */
    LOCAL,
    /** Attributes are in memory; contents are on a disk and in the page cache. */
    DISK,
    /**
     * Contents are in memory only: tmpfs, memfd, ramfs. RWF_NOWAIT is refused (EOPNOTSUPP, measured on Linux 6.18) and
     * not needed: a read waits only for what is swapped out, and then so may any access to this process's own memory.
     */
    MEMORY;

    private static final long UNSIGNED_INT = 0xFFFFFFFFL;

    /** Finds out the kind. May block. Any thread; borrows the descriptor. */
    static FileSystemKind of(final int fd) {
        final long type = Syscalls.fstatfsType(fd);
        if (Errno.isError(type)) {
            return SLOW;
        }
        // The numbers are from include/uapi/linux/magic.h; some arrive sign-extended.
        return switch (Long.toHexString(type & UNSIGNED_INT)) {
            case "ef53", "58465342", "9123683e", "f2f52010", "73717368", "e0f5e1e2" -> DISK;
            case "1021994", "858458f6" -> MEMORY;
            case "958458f6", "9fa0", "62656572" -> LOCAL;
            default -> SLOW;
        };
    }

    /** Whether reading the attributes never blocks. */
    boolean hasLocalAttributes() {
        return this == LOCAL || this == DISK || this == MEMORY;
    }

    /** Whether faulting in a resident page never blocks. */
    boolean isMappable() {
        return this == DISK || this == MEMORY;
    }

    /**
     * Whether mincore(2) tells the truth about the file. To a caller that neither owns the file nor may write to it,
     * the kernel reports every page as resident (since Linux 5.2; measured on 6.18), which would make the loop wait for
     * the disk. A page behind the end of the file is never resident, so asking about one reveals this.
     *
     * @return false also when the file cannot be mapped for reading.
     */
    static boolean isResidencyTruthful(final int fd, final UnsafeBuffer scratch) {
        final int error = Syscalls.statx(fd, 0, Constants.STATX_BASIC_STATS, scratch.addressOffset());
        final long size = scratch.getLong(Constants.STATX_SIZE_OFFSET);
        if (Errno.isError(error) || size < 0 || size > FileWindow.MAX_MAPPED_OFFSET) {
            return false;
        }
        final long offset = FileWindow.roundUp(size) + FileWindow.PAGE_LENGTH;
        final long address = Syscalls.mmap(
            0, FileWindow.PAGE_LENGTH, Constants.PROT_READ, Constants.MAP_SHARED, fd, offset);
        if (Errno.isError(address)) {
            return false;
        }
        scratch.putByte(0, (byte) 1);
        final int result = Syscalls.mincore(address, FileWindow.PAGE_LENGTH, scratch.addressOffset());
        Syscalls.munmap(address, FileWindow.PAGE_LENGTH);
        return result == 0 && (scratch.getByte(0) & 1) == 0;
    }
}
