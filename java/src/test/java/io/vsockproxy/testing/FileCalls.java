/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.testing;

import com.sun.jna.LastErrorException;
import com.sun.jna.Library;
import com.sun.jna.Native;
import com.sun.jna.NativeLibrary;
import com.sun.jna.NativeLong;
import com.sun.jna.ptr.LongByReference;
import io.vsockproxy.posix.Constants;
import io.vsockproxy.posix.Errno;
import io.vsockproxy.posix.FileAttributes;
import io.vsockproxy.posix.IoVec;
import io.vsockproxy.posix.Memory;
import io.vsockproxy.posix.Paths;
import io.vsockproxy.posix.PosixException;
import io.vsockproxy.posix.Syscalls;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;

/**
 * What an application does with a regular file. Each method makes one system call, however long that takes, and returns
 * its result or {@code -errno}. Thread-safe.
 */
public final class FileCalls {
    /** The longest single read or write. */
    public static final int MAX_LENGTH = 1 << 20;
    /** Whence: from the beginning. */
    public static final int SEEK_SET = 0;
    /** Whence: from the present position. */
    public static final int SEEK_CUR = 1;
    /** Whence: from the end. */
    public static final int SEEK_END = 2;
    /** An offset: the present position. */
    public static final long CURRENT_POSITION = -1;

    private static final int DATA_OFFSET = 4096;
    private static final int MFD_CLOEXEC = 1;

    /** Calls that the shim has no use for. */
    private interface C extends Library {
        C INSTANCE = Native.load(null, C.class);

        long lseek(int fd, long offset, int whence) throws LastErrorException;

        int fsync(int fd) throws LastErrorException;

        int fdatasync(int fd) throws LastErrorException;

        long sendfile(int to, int from, LongByReference offset, NativeLong length) throws LastErrorException;

        long splice(
            int from, LongByReference fromOffset, int to, LongByReference toOffset, NativeLong length, int flags)
            throws LastErrorException;

        @SuppressWarnings("checkstyle:MethodName")
        long copy_file_range(
            int from, LongByReference fromOffset, int to, LongByReference toOffset, NativeLong length, int flags)
            throws LastErrorException;
    }

    private static final ThreadLocal<Memory> MEMORY =
        ThreadLocal.withInitial(() -> Memory.allocate(DATA_OFFSET + MAX_LENGTH));

    private FileCalls() {
    }

    /**
     * Loads classes that open descriptors of their own, which would otherwise count as the first test's: JNA, and the
     * JVM's file channels, which keep a socket.
     */
    public static void load() {
        try (Endpoint file = memfd(new byte[0])) {
            size(file);
            Files.readAllBytes(Path.of("/proc/self/fd/" + file.fd()));
        } catch (final IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** One pread. */
    public static int read(final Endpoint file, final long offset, final byte[] bytes) {
        final Memory memory = MEMORY.get();
        IoVec.set(memory.buffer(), 0, memory.address(DATA_OFFSET, bytes.length), bytes.length);
        final int count = (int) Syscalls.preadv2(file.fd(), memory.address(), 1, offset, 0);
        if (count > 0) {
            memory.buffer().getBytes(DATA_OFFSET, bytes, 0, count);
        }
        return count;
    }

    /** One pread of {@code length} bytes, which fails the test if it fails: what it gave. */
    public static byte[] read(final Endpoint file, final long offset, final int length) {
        final byte[] bytes = new byte[length];
        final int count = PosixException.check(read(file, offset, bytes), "pread " + length + " at " + offset);
        return count == length ? bytes : Arrays.copyOf(bytes, count);
    }

    /** One pwrite. */
    public static int write(final Endpoint file, final long offset, final byte[] bytes) {
        final Memory memory = MEMORY.get();
        memory.buffer().putBytes(DATA_OFFSET, bytes);
        IoVec.set(memory.buffer(), 0, memory.address(DATA_OFFSET, bytes.length), bytes.length);
        return (int) Syscalls.pwritev2(file.fd(), memory.address(), 1, offset, 0);
    }

    /** st_size, asked of whoever serves the file; or {@code -errno}. */
    public static long size(final Endpoint file) {
        final int error = statx(file);
        return error < 0 ? error : MEMORY.get().buffer().getLong(Constants.STATX_SIZE_OFFSET);
    }

    /** st_mode; or {@code -errno}. */
    public static int mode(final Endpoint file) {
        final int error = statx(file);
        return error < 0 ? error : MEMORY.get().buffer().getShort(Constants.STATX_MODE_OFFSET) & 0xFFFF;
    }

    /** What fstat shows, asked of whoever serves the file. */
    public static FileAttributes attributes(final Endpoint file) {
        PosixException.check(statx(file), "statx");
        return new FileAttributes().readStatx(MEMORY.get().buffer());
    }

    /** lseek; or {@code -errno}. */
    public static long seek(final Endpoint file, final long offset, final int whence) {
        try {
            return C.INSTANCE.lseek(file.fd(), offset, whence);
        } catch (final LastErrorException e) {
            return -e.getErrorCode();
        }
    }

    /** ftruncate. */
    public static int truncate(final Endpoint file, final long length) {
        return Syscalls.ftruncate(file.fd(), length);
    }

    /** fsync. */
    public static int sync(final Endpoint file) {
        try {
            return C.INSTANCE.fsync(file.fd());
        } catch (final LastErrorException e) {
            return -e.getErrorCode();
        }
    }

    /** fdatasync. */
    public static int syncData(final Endpoint file) {
        try {
            return C.INSTANCE.fdatasync(file.fd());
        } catch (final LastErrorException e) {
            return -e.getErrorCode();
        }
    }

    /** One sendfile from {@code offset} on. */
    public static long send(final Endpoint file, final long offset, final int length, final Endpoint to) {
        try {
            return C.INSTANCE.sendfile(to.fd(), file.fd(), new LongByReference(offset), new NativeLong(length));
        } catch (final LastErrorException e) {
            return -e.getErrorCode();
        }
    }

    /** One splice into a pipe, from {@code offset} or {@link #CURRENT_POSITION} on. */
    public static long splice(final Endpoint file, final long offset, final int length, final Endpoint pipe) {
        final LongByReference from = offset == CURRENT_POSITION ? null : new LongByReference(offset);
        try {
            return C.INSTANCE.splice(file.fd(), from, pipe.fd(), null, new NativeLong(length), 0);
        } catch (final LastErrorException e) {
            return -e.getErrorCode();
        }
    }

    /** One copy_file_range to the beginning of {@code to}. */
    public static long copy(final Endpoint file, final long offset, final int length, final Endpoint to) {
        try {
            return C.INSTANCE.copy_file_range(
                file.fd(), new LongByReference(offset), to.fd(), new LongByReference(0), new NativeLong(length), 0);
        } catch (final LastErrorException e) {
            return -e.getErrorCode();
        }
    }

    /** A file in memory that has no name. */
    public static Endpoint memfd(final byte[] content) {
        final Endpoint file = Endpoint.of(
            NativeLibrary.getProcess().getFunction("memfd_create").invokeInt(new Object[] {"test", MFD_CLOEXEC}),
            "memfd_create");
        if (content.length > 0 && write(file, 0, content) != content.length) {
            throw new AssertionError("write to a memfd");
        }
        return file;
    }

    /** Another descriptor of the same open file. */
    public static Endpoint duplicate(final Endpoint file) {
        return Endpoint.of(Syscalls.fcntl(file.fd(), Constants.F_DUPFD_CLOEXEC, 0), "F_DUPFD_CLOEXEC");
    }

    /** Another open file by way of /proc/self/fd; or {@code -errno}. */
    public static int reopen(final Endpoint file, final int flags) {
        return Paths.open("/proc/self/fd/" + file.fd(), flags | Constants.O_CLOEXEC);
    }

    /** open(2); or {@code -errno}. */
    public static int open(final Path path, final int flags) {
        return Paths.open(path.toString(), flags | Constants.O_CLOEXEC);
    }

    /** mmap of the first {@code length} bytes; an address or {@code -errno}. */
    public static long map(final Endpoint file, final int length, final int protection, final int flags) {
        return Syscalls.mmap(0, length, protection, flags, file.fd(), 0);
    }

    /** For messages. */
    public static String describe(final long result) {
        return Errno.isError(result) ? Errno.name((int) -result) : Long.toString(result);
    }

    private static int statx(final Endpoint file) {
        return Syscalls.statx(file.fd(), 0, Constants.STATX_BASIC_STATS, MEMORY.get().address());
    }
}
