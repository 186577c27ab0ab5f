/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.it;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.vsockproxy.Role;
import io.vsockproxy.posix.Constants;
import io.vsockproxy.posix.Errno;
import io.vsockproxy.posix.Syscalls;
import io.vsockproxy.testing.Background;
import io.vsockproxy.testing.Endpoint;
import io.vsockproxy.testing.FileCalls;
import io.vsockproxy.testing.MountedPair;
import io.vsockproxy.testing.Mounts;
import io.vsockproxy.testing.Pattern;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.agrona.concurrent.UnsafeBuffer;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What a receiver may do to a file, and that it is done to the owner's. */
@Timeout(value = 120, unit = TimeUnit.SECONDS, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class FileWriteTest {
    private static final int MIB = 1 << 20;
    private static final int RECORD_LENGTH = 37;
    private static final int RECORDS = 300;

    @RegisterExtension
    static final MountedPair PROXIES = new MountedPair();

    @ParameterizedTest
    @EnumSource
    void shouldWriteAnywhere(final Role owner) throws IOException {
        final long seed = System.nanoTime();
        System.out.println("shouldWriteAnywhere: seed=" + seed);
        final Random random = new Random(seed);
        final Endpoint original = PROXIES.file(new byte[0], Constants.O_RDWR);
        final Endpoint file = PROXIES.pass(owner, original);
        final byte[] expected = new byte[4 * MIB];
        int end = 0;
        for (int i = 0; i < 150; i++) {
            final byte[] piece = Pattern.bytes(seed + i, 1 + random.nextInt(i % 4 == 0 ? MIB : 5000));
            final int offset = random.nextInt(expected.length - piece.length);
            assertEquals(piece.length, FileCalls.write(file, offset, piece));
            System.arraycopy(piece, 0, expected, offset, piece.length);
            end = Math.max(end, offset + piece.length);
        }
        assertEquals(end, FileCalls.size(original));
        for (int offset = 0; offset < end; offset += MIB) {
            final int length = Math.min(MIB, end - offset);
            assertArrayEquals(
                Arrays.copyOfRange(expected, offset, offset + length), FileCalls.read(original, offset, length));
        }
        assertEquals(0, FileCalls.sync(file));
    }

    /** As programs that look before they write: %a blocks free for everybody, %f in all, of %S bytes; %d inodes. */
    @Test
    void shouldShowThatThereIsRoom() throws IOException, InterruptedException {
        final Endpoint file = PROXIES.pass(Role.HOST, PROXIES.file(new byte[1], Constants.O_RDWR));
        final Process stat = new ProcessBuilder("stat", "--dereference", "--file-system", "--format=%a %f %S %d",
            "/proc/" + ProcessHandle.current().pid() + "/fd/" + file.fd()).start();
        assertEquals("268435456 268435456 4096 0\n",
            new String(stat.getInputStream().readAllBytes(), StandardCharsets.US_ASCII));
        assertEquals(0, stat.waitFor());
    }

    @Test
    void shouldAppendWhereverThePositionIs() throws IOException {
        final Endpoint original = PROXIES.file("begin".getBytes(StandardCharsets.ISO_8859_1),
            Constants.O_RDWR | Constants.O_APPEND);
        final Endpoint file = PROXIES.pass(Role.GUEST, original);
        assertTrue((file.statusFlags() & Constants.O_APPEND) != 0);
        FileCalls.seek(file, 0, FileCalls.SEEK_SET);
        file.write(" more");
        original.write(" and more");
        assertEquals(4, FileCalls.write(file, 0, " end".getBytes(StandardCharsets.ISO_8859_1)));
        assertEquals("begin more and more end", new String(
            FileCalls.read(original, 0, 100), StandardCharsets.ISO_8859_1));
        assertEquals(23, FileCalls.size(file));
    }

    @ParameterizedTest
    @EnumSource(Role.class)
    void shouldAppendWhenTheReceiverSetsThatItself(final Role from) throws IOException {
        final Endpoint file = PROXIES.file(new byte[] {1, 2, 3}, Constants.O_RDWR);
        final Endpoint[] ends = PROXIES.connect(from);
        final Endpoint passed = PROXIES.pass(ends[0], ends[1], file);
        assertEquals(0, Syscalls.fcntl(passed.fd(), Constants.F_SETFL, Constants.O_APPEND));
        final Endpoint back = PROXIES.pass(ends[1], ends[0], PROXIES.pass(ends[0], ends[1], file));
        assertEquals(0, Syscalls.fcntl(back.fd(), Constants.F_SETFL, Constants.O_APPEND));
        // The receiver's kernel does not know of this.
        assertEquals(2, FileCalls.write(file, 3, new byte[] {4, 5}));
        assertEquals(1, FileCalls.write(passed, FileCalls.CURRENT_POSITION, new byte[] {6}));
        assertEquals(1, FileCalls.write(file, 6, new byte[] {7}));
        assertEquals(1, FileCalls.write(back, FileCalls.CURRENT_POSITION, new byte[] {8}));
        assertArrayEquals(new byte[] {1, 2, 3, 4, 5, 6, 7, 8}, FileCalls.read(file, 0, 100));
        // It may not be longer than that.
        assertEquals(0, Syscalls.fcntl(passed.fd(), Constants.F_SETFL, 0));
        assertEquals(1, FileCalls.write(passed, 0, new byte[] {9}));
        assertArrayEquals(new byte[] {9, 2, 3, 4, 5, 6, 7, 8}, FileCalls.read(file, 0, 100));

        final int again = FileCalls.reopen(passed, Constants.O_WRONLY | Constants.O_APPEND);
        final Endpoint reopened = PROXIES.closing(Endpoint.of(again, "open"));
        assertEquals(1, FileCalls.write(file, 8, new byte[] {10}));
        final byte[] large = Pattern.bytes(14, 300_000);
        assertEquals(large.length, FileCalls.write(reopened, FileCalls.CURRENT_POSITION, large));
        assertArrayEquals(large, FileCalls.read(file, 9, large.length + 1));
    }

    @ParameterizedTest
    @EnumSource(Role.class)
    void shouldAppendWhenWhoPassesItOnHasSetThat(final Role from) throws IOException {
        final Endpoint file = PROXIES.file(new byte[] {1, 2, 3}, Constants.O_RDWR);
        final Endpoint[] ends = PROXIES.connect(from);
        final Endpoint passed = PROXIES.pass(ends[0], ends[1], file);
        assertEquals(0, Syscalls.fcntl(passed.fd(), Constants.F_SETFL, Constants.O_APPEND));
        final Endpoint back = PROXIES.pass(ends[1], ends[0], passed);
        assertTrue((back.statusFlags() & Constants.O_APPEND) != 0);
        assertEquals(2, FileCalls.write(file, 3, new byte[] {4, 5}));
        assertEquals(1, FileCalls.write(back, FileCalls.CURRENT_POSITION, new byte[] {6}));
        assertArrayEquals(new byte[] {1, 2, 3, 4, 5, 6}, FileCalls.read(file, 0, 100));
    }

    @Test
    void shouldLoseNothingWhenBothSidesAppend() throws IOException {
        final Path path = Files.createTempFile(PROXIES.directory(), "log", "");
        final int flags = Constants.O_RDWR | Constants.O_APPEND;
        final List<CompletableFuture<Void>> writers = new ArrayList<>();
        for (int i = 0; i < 4; i++) {
            final Endpoint original = PROXIES.closing(Endpoint.open(path, flags));
            // Two write here and one on each side through the proxies, all to the same file.
            final Endpoint file = i < 2 ? original : PROXIES.pass(i == 2 ? Role.GUEST : Role.HOST, original);
            final byte letter = (byte) ('a' + i);
            writers.add(Background.start(() -> {
                for (int count = 0; count < RECORDS; count++) {
                    final byte[] bytes = new byte[RECORD_LENGTH];
                    Arrays.fill(bytes, letter);
                    assertEquals(RECORD_LENGTH, FileCalls.write(file, FileCalls.CURRENT_POSITION, bytes));
                }
                return null;
            }));
        }
        Background.joinAll(writers);
        final byte[] content = Files.readAllBytes(path);
        assertEquals(4 * RECORDS * RECORD_LENGTH, content.length);
        final int[] counts = new int[4];
        for (int i = 0; i < content.length; i += RECORD_LENGTH) {
            final byte[] bytes = Arrays.copyOfRange(content, i, i + RECORD_LENGTH);
            final byte[] wanted = new byte[RECORD_LENGTH];
            Arrays.fill(wanted, bytes[0]);
            assertArrayEquals(wanted, bytes, "a record was torn");
            counts[bytes[0] - 'a']++;
        }
        assertArrayEquals(new int[] {RECORDS, RECORDS, RECORDS, RECORDS}, counts);
    }

    @Test
    void shouldCutAndExtend() throws IOException {
        final byte[] content = Pattern.bytes(1, 100_000);
        final Endpoint original = PROXIES.file(content, Constants.O_RDWR);
        final Endpoint file = PROXIES.pass(Role.GUEST, original);
        assertEquals(0, FileCalls.truncate(file, 50_000));
        assertEquals(50_000, FileCalls.size(original));
        assertEquals(50_000, FileCalls.size(file));
        assertEquals(0, FileCalls.truncate(file, 60_000));
        assertEquals(60_000, FileCalls.size(original));
        assertArrayEquals(Arrays.copyOf(Arrays.copyOf(content, 50_000), 60_000), FileCalls.read(file, 0, 100_000));
        assertEquals(-Errno.EINVAL, FileCalls.truncate(file, -1));
        assertEquals(0, FileCalls.truncate(file, 0));
        assertEquals(0, FileCalls.size(original));
    }

    @Test
    void shouldRefuseWhatTheSendersAccessModeDoesNotAllow() throws IOException {
        final byte[] content = Pattern.bytes(2, 1000);
        final Endpoint original = PROXIES.file(content, Constants.O_RDWR);
        final Endpoint readable = PROXIES.pass(
            Role.GUEST, PROXIES.closing(Endpoint.of(FileCalls.reopen(original, Constants.O_RDONLY), "reopen")));
        final Endpoint writable = PROXIES.pass(
            Role.GUEST, PROXIES.closing(Endpoint.of(FileCalls.reopen(original, Constants.O_WRONLY), "reopen")));
        assertEquals(Constants.O_RDONLY, readable.statusFlags() & Constants.O_ACCMODE);
        assertEquals(-Errno.EBADF, FileCalls.write(readable, 0, new byte[1]));
        assertTrue(FileCalls.truncate(readable, 0) < 0);
        assertEquals(-Errno.EACCES, FileCalls.map(
            readable, 4096, Constants.PROT_READ | Constants.PROT_WRITE, Constants.MAP_SHARED));
        // Not through /proc either, where root needs no permission.
        assertEquals(-Errno.EACCES, FileCalls.reopen(readable, Constants.O_RDWR));
        assertEquals(-Errno.EACCES, FileCalls.reopen(readable, Constants.O_WRONLY));
        assertEquals(Constants.O_WRONLY, writable.statusFlags() & Constants.O_ACCMODE);
        assertEquals(-Errno.EBADF, FileCalls.read(writable, 0, new byte[1]));
        assertEquals(-Errno.EACCES, FileCalls.reopen(writable, Constants.O_RDONLY));
        assertEquals(10, FileCalls.write(writable, 0, Pattern.bytes(3, 10)));
        assertArrayEquals(Pattern.bytes(3, 10), FileCalls.read(readable, 0, 10));
        // It may be opened again with any part of the access that was granted.
        final Endpoint again = PROXIES.closing(
            Endpoint.of(FileCalls.reopen(readable, Constants.O_RDONLY), "reopen"));
        assertArrayEquals(Pattern.bytes(3, 10), FileCalls.read(again, 0, 10));
    }

    @Test
    void shouldWriteThroughASharedMapping() throws IOException {
        final byte[] content = Pattern.bytes(4, 100_000);
        final Endpoint original = PROXIES.file(content, Constants.O_RDWR);
        final Endpoint file = PROXIES.pass(Role.GUEST, original);
        final long address = FileCalls.map(
            file, content.length, Constants.PROT_READ | Constants.PROT_WRITE, Constants.MAP_SHARED);
        Assumptions.assumeFalse(
            address == -Errno.ENODEV, "skipped: shared mappings of direct I/O files take Linux 6.6");
        assertTrue(address > 0, () -> FileCalls.describe(address));
        final UnsafeBuffer mapped = new UnsafeBuffer(address, content.length);
        final byte[] piece = Pattern.bytes(5, 70_000);
        mapped.putBytes(1000, piece);
        assertEquals(0, FileCalls.sync(file));
        Syscalls.munmap(address, content.length);
        System.arraycopy(piece, 0, content, 1000, piece.length);
        assertArrayEquals(content, FileCalls.read(original, 0, content.length));
        assertEquals(content.length, FileCalls.size(original));
    }

    @Test
    void shouldReportWhatTheOwnersFileSystemRefuses() throws IOException {
        // This file accepts only numbers.
        final Endpoint file = PROXIES.pass(
            Role.GUEST, PROXIES.closing(Endpoint.open(Path.of("/proc/self/oom_score_adj"), Constants.O_RDWR)));
        assertEquals(-Errno.EINVAL, FileCalls.write(file, 0, "no number".getBytes(StandardCharsets.ISO_8859_1)));
    }

    /** Whatever the file itself says to that: EFBIG, on most file systems. */
    @ParameterizedTest
    @ValueSource(longs = {1L << 45, 1L << 62, Long.MAX_VALUE - 1})
    void shouldRefuseOffsetsAsTheFileItselfDoes(final long offset) throws IOException {
        final Endpoint original = PROXIES.file(new byte[10], Constants.O_RDWR);
        final Endpoint file = PROXIES.pass(Role.GUEST, original);
        assertEquals(FileCalls.write(original, offset, new byte[1]), FileCalls.write(file, offset, new byte[1]));
        assertEquals(FileCalls.truncate(original, offset), FileCalls.truncate(file, offset));
        assertEquals(FileCalls.size(original), FileCalls.size(file));
    }

    @Test
    void shouldTellThatTheOwnersDiskIsFull() throws IOException {
        final Path disk = Files.createDirectory(PROXIES.directory().resolve("disk"));
        Mounts.smallDisk(disk, MIB);
        try {
            final Path path = disk.resolve("file");
            Files.write(path, new byte[0]);
            final Endpoint file = PROXIES.pass(
                Role.GUEST, PROXIES.closing(Endpoint.open(path, Constants.O_RDWR)));
            final byte[] piece = Pattern.bytes(15, MIB / 2 + 100_000);
            assertEquals(piece.length, FileCalls.write(file, 0, piece));
            // As much as there is room for is written, and that count returned.
            assertEquals(MIB - piece.length, FileCalls.write(file, piece.length, piece));
            assertEquals(-Errno.ENOSPC, FileCalls.write(file, MIB, piece));
            assertEquals(MIB, FileCalls.size(file));
            assertArrayEquals(piece, FileCalls.read(file, 0, piece.length));
        } finally {
            Mounts.detach(disk);
            Files.delete(disk);
        }
    }

    @Test
    void shouldKeepWritesOfManyThreadsApart() throws IOException {
        final int pieceLength = 300_000;
        final Endpoint original = PROXIES.file(new byte[0], Constants.O_RDWR);
        final Endpoint file = PROXIES.pass(Role.HOST, original);
        final List<CompletableFuture<Void>> writers = new ArrayList<>();
        for (int i = 0; i < 16; i++) {
            final int writer = i;
            writers.add(Background.start(() -> {
                for (int round = 0; round < 4; round++) {
                    final byte[] piece = Pattern.bytes(100L * round + writer, pieceLength);
                    assertEquals(pieceLength, FileCalls.write(file, (long) writer * pieceLength, piece));
                    assertArrayEquals(piece, FileCalls.read(file, (long) writer * pieceLength, pieceLength));
                }
                return null;
            }));
        }
        Background.joinAll(writers);
        for (int i = 0; i < 16; i++) {
            assertArrayEquals(
                Pattern.bytes(300 + i, pieceLength), FileCalls.read(original, (long) i * pieceLength, pieceLength));
        }
    }
}
