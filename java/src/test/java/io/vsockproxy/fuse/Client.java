/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.fuse;

import com.sun.jna.LastErrorException;
import com.sun.jna.Library;
import com.sun.jna.Native;
import io.vsockproxy.posix.Constants;
import io.vsockproxy.posix.Errno;
import io.vsockproxy.posix.IoVec;
import io.vsockproxy.posix.Memory;
import io.vsockproxy.posix.Syscalls;
import org.agrona.concurrent.UnsafeBuffer;

/** What an application does with a descriptor; one thread, never the loop's. */
final class Client implements AutoCloseable {
    static final int CAPACITY = 4 << 20;
    static final int SEEK_SET = 0;
    static final int SEEK_CUR = 1;
    static final int SEEK_END = 2;

    private static final int DATA_OFFSET = 4096;

    /** Calls that the shim has no use for. */
    interface C extends Library {
        C INSTANCE = Native.load(null, C.class);

        long lseek(int fd, long offset, int whence) throws LastErrorException;

        int fsync(int fd) throws LastErrorException;

        int fchown(int fd, int owner, int group) throws LastErrorException;

        int fchmod(int fd, int mode) throws LastErrorException;

        int access(String path, int mode) throws LastErrorException;
    }

    private final Memory memory = Memory.allocate(DATA_OFFSET + CAPACITY);

    /** Reads into {@link #data}: a count or {@code -errno}. */
    long pread(final int fd, final long offset, final int length) {
        IoVec.set(memory.buffer(), 0, memory.address(DATA_OFFSET, length), length);
        return Syscalls.preadv2(fd, memory.address(), 1, offset, 0);
    }

    /** Reads exactly what is said to be there. */
    byte[] bytes(final int fd, final long offset, final int length) {
        final long count = pread(fd, offset, length);
        if (count < 0) {
            throw new AssertionError("pread: " + Errno.name((int) -count));
        }
        final byte[] bytes = new byte[(int) count];
        data().getBytes(0, bytes);
        return bytes;
    }

    /** Writes: a count or {@code -errno}. Offset -1: at the file's position. */
    long pwrite(final int fd, final byte[] bytes, final long offset) {
        memory.buffer().putBytes(DATA_OFFSET, bytes);
        IoVec.set(memory.buffer(), 0, memory.address(DATA_OFFSET, bytes.length), bytes.length);
        return Syscalls.pwritev2(fd, memory.address(), 1, offset, 0);
    }

    long size(final int fd) {
        return stat(fd) < 0 ? -1 : memory.buffer().getLong(Constants.STATX_SIZE_OFFSET);
    }

    int mode(final int fd) {
        return stat(fd) < 0 ? -1 : memory.buffer().getShort(Constants.STATX_MODE_OFFSET) & 0xFFFF;
    }

    int stat(final int fd) {
        return Syscalls.statx(fd, 0, Constants.STATX_BASIC_STATS, memory.address());
    }

    static long lseek(final int fd, final long offset, final int whence) {
        return C.INSTANCE.lseek(fd, offset, whence);
    }

    UnsafeBuffer data() {
        return new UnsafeBuffer(memory.buffer(), DATA_OFFSET, CAPACITY);
    }

    @Override
    public void close() {
        memory.close();
    }
}
