/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.file;

import io.vsockproxy.posix.Constants;
import io.vsockproxy.posix.Errno;
import io.vsockproxy.posix.IoVec;
import io.vsockproxy.posix.Memory;
import io.vsockproxy.posix.Syscalls;
import java.util.Set;

/**
 * A request for a file that could not be answered at once: what is asked, and the bytes while a worker has it.
 *
 * <p>Handed to a worker and back through queues, which order all accesses; never touched by both at once.
 */
final class FileRequest {
    /** What is asked. */
    enum Operation { READ, WRITE, EXAMINE, TRUNCATE }

    /** How far it is. */
    enum State { WAITING, WITH_WORKER, DONE }

    /**
     * f_type of file systems whose attributes live in this kernel's memory (include/uapi/linux/magic.h): ext2 to ext4,
     * xfs, btrfs, f2fs, tmpfs, ramfs, hugetlbfs, squashfs, erofs, proc, sysfs.
     */
    private static final Set<Long> LOCAL_FILE_SYSTEMS = Set.of(
        0xEF53L, 0x58465342L, 0x9123683EL, 0xF2F52010L, 0x01021994L, 0x858458F6L, 0x958458F6L, 0x73717368L,
        0xE0F5E1E2L, 0x9FA0L, 0x62656572L);

    final LocalFile file;
    final Operation operation;
    final long cookie;
    final long offset;
    State state = State.WAITING;
    /** Bytes to be read or written; of a truncation, the new length. */
    long length;
    /** What has been written before a worker took over. */
    long alreadyWritten;
    /** The bytes read, or to be written, and an iovec behind them. */
    Memory data;
    /** A count, a size, or {@code -errno}. */
    long result;

    FileRequest(
        final LocalFile file, final Operation operation, final long cookie, final long offset, final long length) {
        this.file = file;
        this.operation = operation;
        this.cookie = cookie;
        this.offset = offset;
        this.length = length;
    }

    /** On a worker: does it, however long it takes. */
    void perform() {
        switch (operation) {
            case READ -> {
                data = Memory.allocate((int) length + IoVec.LENGTH);
                result = readFully();
            }
            case WRITE -> result = writeFully();
            case EXAMINE -> result = examine();
            case TRUNCATE -> result = Syscalls.ftruncate(file.fd(), length);
            default -> throw new IllegalStateException("operation " + operation);
        }
    }

    void releaseData() {
        if (data != null) {
            data.close();
            data = null;
        }
    }

    private long readFully() {
        long done = 0;
        while (done < length) {
            final long count = Syscalls.preadv2(file.fd(), piece(done), 1, offset + done, 0);
            if (count <= 0) {
                return done > 0 ? done : count;
            }
            done += count;
        }
        return done;
    }

    private long writeFully() {
        long done = 0;
        while (done < length) {
            final long count = Syscalls.pwritev2(file.fd(), piece(done), 1, offset + done, 0);
            if (count < 0) {
                return done + alreadyWritten > 0 ? done + alreadyWritten : count;
            }
            done += count;
        }
        return done + alreadyWritten;
    }

    private long piece(final long done) {
        final int index = data.length() - IoVec.LENGTH;
        data.buffer().putLong(index, data.address() + done);
        data.buffer().putLong(index + Long.BYTES, length - done);
        return data.address(index, IoVec.LENGTH);
    }

    private long examine() {
        file.localFileSystem(LOCAL_FILE_SYSTEMS.contains(Syscalls.fstatfsType(file.fd()) & 0xFFFFFFFFL));
        try (Memory statx = Memory.allocate(Constants.SIZEOF_STATX)) {
            final int error = Syscalls.statx(file.fd(), 0, Constants.STATX_BASIC_STATS, statx.address());
            return Errno.isError(error) ? error : statx.buffer().getLong(Constants.STATX_SIZE_OFFSET);
        }
    }
}
