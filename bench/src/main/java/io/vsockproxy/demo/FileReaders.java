/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.demo;

import io.vsockproxy.posix.Constants;
import io.vsockproxy.posix.IoVec;
import io.vsockproxy.posix.Memory;
import io.vsockproxy.posix.OwnedFd;
import io.vsockproxy.posix.Paths;
import io.vsockproxy.posix.PosixException;
import io.vsockproxy.posix.Syscalls;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.LongAdder;
import java.util.stream.IntStream;

/**
 * Measures the throughput of reading a file that was passed through two proxies, with one reader and with several at
 * once.
 *
 * <p>Every round measures each length with each number of readers in turn, so that a slow phase of the machine affects
 * all of them; medians are shown. Each reader reads from front to back, starting at a position of its own. The
 * processor time is that of both proxies, without that of the readers.
 *
 * <p>Once {@code bin/demo} has built it, from the project's root and as root (with {@code taskset -c 0} in front, all
 * on one processor):
 *
 * <pre>
 *   java --add-exports java.base/jdk.internal.misc=ALL-UNNAMED --enable-native-access=ALL-UNNAMED \
 *       -Dvsockproxy.native.path=$PWD/java/target/native/libvsockproxy.so \
 *       -cp 'bench/target/classes:bench/target/lib/*' io.vsockproxy.demo.FileReaders \
 *       bin/vsock-proxy DIRECTORY [READERS [ROUNDS [MILLISECONDS]]]
 * </pre>
 *
 * <p>DIRECTORY must be empty. It holds the sockets, the mounts and a file of 256 MiB, so it decides whether a disk's
 * file system or memory is read.
 */
public final class FileReaders {
    private static final int FILE_LENGTH = 256 << 20;
    private static final int PIECE_LENGTH = 1 << 20;
    private static final int[] READ_LENGTHS = {4 << 10, 128 << 10, 1 << 20};
    private static final int DEFAULT_READERS = 8;
    private static final int DEFAULT_ROUNDS = 5;
    private static final int DEFAULT_DURATION_MS = 1000;
    private static final long TIMEOUT_S = 120;
    private static final double MIB = 1 << 20;
    private static final double NS_PER_S = 1e9;

    private final int durationMs;
    private final ProxyProcess[] proxies;
    private final Channel file;

    /** What one round of one length gave. */
    private record Result(double mibPerSecond, double cpuSecondsPerSecond) {
        double mibPerCpuSecond() {
            return mibPerSecond / cpuSecondsPerSecond;
        }
    }

    private FileReaders(final int durationMs, final Channel file, final ProxyProcess... proxies) {
        this.durationMs = durationMs;
        this.file = file;
        this.proxies = proxies;
    }

    /** See the class. */
    public static void main(final String[] arguments) throws IOException {
        final Path launcher = Path.of(arguments[0]);
        final Path directory = Path.of(arguments[1]).toAbsolutePath();
        final int readers = number(arguments, 2, DEFAULT_READERS);
        final int rounds = number(arguments, 3, DEFAULT_ROUNDS);
        final String link = "unix:" + directory.resolve("link.sock");
        final Path hostSocket = directory.resolve("host-application.sock");
        final Path guestSocket = directory.resolve("guest-application.sock");
        final ProxyProcess host = ProxyProcess.start(launcher, directory, "host", List.of(
            "--listen", link, "--allow-connect", hostSocket.toString(),
            "--files", directory.resolve("host-files").toString()));
        final ProxyProcess guest = ProxyProcess.start(launcher, directory, "guest", List.of(
            "--connect", link, "--forward", guestSocket + "=" + hostSocket,
            "--files", directory.resolve("guest-files").toString()));
        try (Applications applications = new Applications(hostSocket, guestSocket);
            Applications.Ends ends = applications.connect();
            Channel original = open(makeFile(directory))) {
            ends.guest().send("a file", original);
            try (Channel passed = ends.host().receive().descriptors().get(0)) {
                new FileReaders(number(arguments, 4, DEFAULT_DURATION_MS), passed, host, guest).run(readers, rounds);
            }
        } finally {
            guest.stop();
            host.stop();
            Files.deleteIfExists(directory.resolve("file"));
        }
    }

    private void run(final int readers, final int rounds) {
        final int[] counts = {1, readers};
        final List<List<Result>> results = new ArrayList<>();
        for (int i = 0; i < READ_LENGTHS.length * counts.length; i++) {
            results.add(new ArrayList<>());
        }
        for (int round = -1; round < rounds; round++) {
            for (int i = 0; i < results.size(); i++) {
                final Result result = measure(READ_LENGTHS[i / counts.length], counts[i % counts.length]);
                // The first round warms up.
                if (round >= 0) {
                    results.get(i).add(result);
                }
            }
        }
        System.out.printf(Locale.ROOT, "medians of %d rounds of %d ms%n%10s %8s %10s %16s %18s%n", rounds, durationMs,
            "read", "readers", "MiB/s", "CPU s/s", "MiB/CPU s");
        for (int i = 0; i < results.size(); i++) {
            System.out.printf(Locale.ROOT, "%10d %8d %10.0f %16.2f %18.0f%n",
                READ_LENGTHS[i / counts.length], counts[i % counts.length],
                median(results.get(i).stream().mapToDouble(Result::mibPerSecond).toArray()),
                median(results.get(i).stream().mapToDouble(Result::cpuSecondsPerSecond).toArray()),
                median(results.get(i).stream().mapToDouble(Result::mibPerCpuSecond).toArray()));
        }
        for (int i = 0; i < results.size(); i += counts.length) {
            final List<Result> one = results.get(i);
            final List<Result> several = results.get(i + 1);
            System.out.printf(Locale.ROOT, "%d readers against one, reads of %d: MiB/s x %.2f, MiB/CPU s x %.2f%n",
                readers, READ_LENGTHS[i / counts.length],
                median(ratios(one, several, false)), median(ratios(one, several, true)));
        }
    }

    private Result measure(final int readLength, final int readers) {
        final LongAdder bytes = new LongAdder();
        final double cpuBefore = cpuSeconds();
        final long startNs = System.nanoTime();
        final long endNs = startNs + TimeUnit.MILLISECONDS.toNanos(durationMs);
        final List<FutureTask<Void>> tasks = IntStream.range(0, readers).mapToObj(i -> Threads.start(
            "reader-" + i, () -> read(readLength, (long) i * FILE_LENGTH / readers, endNs, bytes))).toList();
        tasks.forEach(task -> Threads.await(task, TIMEOUT_S));
        final double seconds = (System.nanoTime() - startNs) / NS_PER_S;
        return new Result(bytes.sum() / MIB / seconds, (cpuSeconds() - cpuBefore) / seconds);
    }

    private void read(final int readLength, final long start, final long endNs, final LongAdder bytes) {
        try (Memory memory = Memory.allocate(IoVec.LENGTH + readLength)) {
            IoVec.set(memory.buffer(), 0, memory.address(IoVec.LENGTH, readLength), readLength);
            for (long offset = start; System.nanoTime() - endNs < 0; offset = (offset + readLength) % FILE_LENGTH) {
                final int count = (int) Syscalls.preadv2(file.fd(), memory.address(), 1, offset, 0);
                Check.equal("bytes read at " + offset, readLength, count);
                bytes.add(count);
            }
        }
    }

    private double cpuSeconds() {
        return Arrays.stream(proxies).mapToDouble(ProxyProcess::cpuSeconds).sum();
    }

    private static double[] ratios(final List<Result> one, final List<Result> several, final boolean perCpu) {
        return IntStream.range(0, one.size()).mapToDouble(i -> perCpu
            ? several.get(i).mibPerCpuSecond() / one.get(i).mibPerCpuSecond()
            : several.get(i).mibPerSecond() / one.get(i).mibPerSecond()).toArray();
    }

    private static double median(final double[] values) {
        final double[] sorted = values.clone();
        Arrays.sort(sorted);
        return sorted[sorted.length / 2];
    }

    private static Path makeFile(final Path directory) throws IOException {
        final Path path = directory.resolve("file");
        final byte[] piece = new byte[PIECE_LENGTH];
        Arrays.fill(piece, (byte) 1);
        try (var out = Files.newOutputStream(path)) {
            for (int done = 0; done < FILE_LENGTH; done += piece.length) {
                out.write(piece);
            }
        }
        return path;
    }

    private static Channel open(final Path path) {
        return new Channel(OwnedFd.of(PosixException.check(
            Paths.open(path.toString(), Constants.O_RDONLY | Constants.O_CLOEXEC), "open " + path)));
    }

    private static int number(final String[] arguments, final int index, final int otherwise) {
        return arguments.length > index ? Integer.parseInt(arguments[index]) : otherwise;
    }
}
