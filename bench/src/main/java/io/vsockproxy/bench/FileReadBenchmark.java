/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.bench;

import com.sun.jna.Native;
import io.vsockproxy.posix.Constants;
import io.vsockproxy.posix.Errno;
import io.vsockproxy.posix.IoVec;
import io.vsockproxy.posix.Memory;
import io.vsockproxy.posix.Paths;
import io.vsockproxy.posix.PosixException;
import io.vsockproxy.posix.Syscalls;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Locale;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;
import org.openjdk.jmh.infra.BenchmarkParams;

/**
 * Should the bytes of a file that is in memory be copied into the outbound ring, or sent from a mapping of the file?
 * The thresholds in {@link io.vsockproxy.file.FileLimits#DEFAULTS} come from its results.
 *
 * <p>Each operation answers one read: it gets the bytes in one of the ways below, then sends a header and the bytes
 * with sendmsg to an AF_UNIX socket that another thread drains. The file is read from front to back, again and again.
 *
 * <ul> <li>copied: preadv2 (with RWF_NOWAIT where the file system supports it) into one buffer, then sendmsg from
 * there. <li>mapped: statx, mincore and sendmsg from a mapping whose pages have been faulted in before.
 * <li>mappedFirst: the same from a mapping that is made anew for each pass, so that every page is faulted in. <li>cold:
 *     copied, waiting for the disk: the page cache is made to drop the file before each pass, which reads it in again
 *     with the kernel's read-ahead. On tmpfs there is nothing to drop, and it is the same as copied. <li>sendOnly: only
 *     the sendmsg, which is common to all.
 * </ul>
 *
 * <p>The score is elapsed time, which includes waiting for the draining thread. The line printed after each iteration
 * is the processor time of the sending thread alone, which is how long the event loop would be busy.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@Warmup(iterations = 2, time = 1)
@Measurement(iterations = 3, time = 1)
@Fork(
    value = 1,
    jvmArgsAppend = {
        "--add-exports", "java.base/jdk.internal.misc=ALL-UNNAMED", "--enable-native-access=ALL-UNNAMED",
        "-XX:+UseSerialGC"
    })
public class FileReadBenchmark {
    private static final int HEADER_LENGTH = 30;
    private static final int SOCKET_BUFFER_LENGTH = 416 << 10;
    private static final int DRAIN_LENGTH = 2 << 20;
    private static final int PAGE_LENGTH = 4096;
    /** As long as the outbound ring; how the kernel backs it depends on that. */
    private static final int RING_LENGTH = 4 << 20;

    /** Bytes of one read. */
    @Param({"4096", "16384", "65536", "131072", "262144", "1048576"})
    private int length;

    /** Where the file is: on a disk's file system, or on tmpfs. */
    @Param({"disk", "memory"})
    private String where;

    /** MiB of the file; beyond the processor's caches, it costs more to touch. */
    @Param({"256"})
    private int fileMib;

    /** The C library, by JNA. */
    static final class CLibrary {
        static final int POSIX_FADV_DONTNEED = 4;

        static {
            Native.register(CLibrary.class, (String) null);
        }

        private CLibrary() {
        }

        /** posix_fadvise(2), where offsets have 64 bits. */
        @SuppressWarnings("checkstyle:MethodName") // The C library's.
        static native int posix_fadvise(int fd, long offset, long length, int advice);
    }

    private final ThreadMXBean threads = ManagementFactory.getThreadMXBean();
    private Path path;
    private int file;
    private int readFlags;
    private int sender;
    private Thread drainer;
    private Memory memory;
    private Memory ring;
    private long iovAddress;
    private long statxAddress;
    private long residencyAddress;
    private long ringAddress;
    private long fileLength;
    private long mapping;
    private long offset;
    private long operations;
    private long cpuNsBefore;

    /** Makes the file and the sockets. */
    @Setup(Level.Trial)
    public void open() throws IOException {
        fileLength = (long) fileMib << 20;
        final Path directory = Path.of("memory".equals(where) ? "/dev/shm" : System.getProperty("java.io.tmpdir"));
        path = Files.createTempFile(directory, "vsockproxy-bench", null);
        final byte[] bytes = new byte[1 << 20];
        new Random(1).nextBytes(bytes);
        for (int i = 0; i < fileMib; i++) {
            // Written to disk, because only clean pages can be dropped from the cache.
            Files.write(path, bytes, StandardOpenOption.APPEND, StandardOpenOption.DSYNC);
        }
        file = PosixException.check(Paths.open(path.toString(), Constants.O_RDONLY | Constants.O_CLOEXEC), "open");
        readFlags = "memory".equals(where) ? 0 : Constants.RWF_NOWAIT;

        memory = Memory.allocate(PAGE_LENGTH + length / PAGE_LENGTH + 1);
        ring = Memory.allocate(RING_LENGTH);
        iovAddress = memory.address();
        statxAddress = memory.address(2 * IoVec.LENGTH, Constants.SIZEOF_STATX);
        residencyAddress = memory.address(PAGE_LENGTH, length / PAGE_LENGTH + 1);
        ringAddress = ring.address(0, HEADER_LENGTH + length);

        PosixException.check(
            Syscalls.socketpair(Constants.AF_UNIX, Constants.SOCK_STREAM | Constants.SOCK_CLOEXEC, 0, iovAddress),
            "socketpair");
        sender = memory.buffer().getInt(0);
        final int receiver = memory.buffer().getInt(Integer.BYTES);
        memory.buffer().putInt(0, SOCKET_BUFFER_LENGTH);
        Syscalls.setsockopt(sender, Constants.SOL_SOCKET, Constants.SO_SNDBUF, iovAddress, Integer.BYTES);
        drainer = new Thread(() -> drain(receiver), "drainer");
        drainer.start();
        map();
    }

    /** Frees everything. */
    @TearDown(Level.Trial)
    public void close() throws IOException, InterruptedException {
        Syscalls.close(sender);
        drainer.join();
        Syscalls.munmap(mapping, fileLength);
        Syscalls.close(file);
        Files.delete(path);
        ring.close();
        memory.close();
    }

    /** Begins to count. */
    @Setup(Level.Iteration)
    public void begin() {
        operations = 0;
        cpuNsBefore = threads.getCurrentThreadCpuTime();
    }

    /** Prints the sender's processor time. */
    @TearDown(Level.Iteration)
    public void end(final BenchmarkParams params) {
        final double cpuUs = (threads.getCurrentThreadCpuTime() - cpuNsBefore) / 1000.0 / operations;
        System.out.printf(Locale.ROOT, "[cpu %s %s %d: %.2f us/op] ",
            params.getBenchmark().replaceAll(".*\\.", ""), where, length, cpuUs);
    }

    /** The way through the ring. */
    @Benchmark
    public void copied() {
        read(readFlags);
        send(ringAddress + HEADER_LENGTH);
        advance();
    }

    /** The way through the ring, from the disk. */
    @Benchmark
    public void cold() {
        if (offset == 0) {
            // Mapped pages would not be dropped.
            Syscalls.munmap(mapping, fileLength);
            CLibrary.posix_fadvise(file, 0, 0, CLibrary.POSIX_FADV_DONTNEED);
            map();
        }
        read(0);
        send(ringAddress + HEADER_LENGTH);
        advance();
    }

    /** The way through a mapping in use. */
    @Benchmark
    public void mapped() {
        check();
        send(mapping + offset);
        advance();
    }

    /** The way through a new mapping. */
    @Benchmark
    public void mappedFirst() {
        if (offset == 0) {
            Syscalls.munmap(mapping, fileLength);
            map();
        }
        check();
        send(mapping + offset);
        advance();
    }

    /** What all have in common. */
    @Benchmark
    public void sendOnly() {
        send(ringAddress + HEADER_LENGTH);
        advance();
    }

    private void map() {
        mapping = Syscalls.mmap(0, fileLength, Constants.PROT_READ, Constants.MAP_SHARED, file, 0);
        if (Errno.isError(mapping)) {
            throw new PosixException("mmap", (int) -mapping);
        }
    }

    private void read(final int flags) {
        IoVec.set(memory.buffer(), 0, ringAddress + HEADER_LENGTH, length);
        final long count = Syscalls.preadv2(file, iovAddress, 1, offset, flags);
        if (count != length) {
            throw new IllegalStateException("read " + count);
        }
    }

    private void check() {
        Syscalls.statx(file, Constants.AT_STATX_DONT_SYNC, Constants.STATX_BASIC_STATS, statxAddress);
        Syscalls.mincore(mapping + offset, length, residencyAddress);
        for (int page = 0; page < length / PAGE_LENGTH; page++) {
            if ((memory.buffer().getByte(PAGE_LENGTH + page) & 1) == 0) {
                throw new IllegalStateException("not resident at " + offset);
            }
        }
    }

    private void send(final long address) {
        IoVec.set(memory.buffer(), 0, ringAddress, HEADER_LENGTH);
        IoVec.set(memory.buffer(), 1, address, length);
        int first = 0;
        long left = HEADER_LENGTH + (long) length;
        while (left > 0) {
            // The socket is blocking, so this sends everything unless interrupted.
            final int sent = Syscalls.sendmsg(
                sender, iovAddress + (long) first * IoVec.LENGTH, 2 - first, Constants.MSG_NOSIGNAL, 0, 0);
            if (sent < HEADER_LENGTH) {
                throw new IllegalStateException("sent " + sent);
            }
            left -= sent;
            IoVec.set(memory.buffer(), 1, address + length - left, left);
            first = 1;
        }
    }

    private void advance() {
        operations++;
        offset += length;
        if (offset >= fileLength) {
            offset = 0;
        }
    }

    private static void drain(final int receiver) {
        try (Memory buffer = Memory.allocate(DRAIN_LENGTH)) {
            int received = 1;
            while (received > 0) {
                received = Syscalls.recv(receiver, buffer.address(), DRAIN_LENGTH, 0);
            }
        } finally {
            Syscalls.close(receiver);
        }
    }
}
