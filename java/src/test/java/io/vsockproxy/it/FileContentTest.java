/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.it;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.vsockproxy.Role;
import io.vsockproxy.posix.Constants;
import io.vsockproxy.posix.Errno;
import io.vsockproxy.posix.Syscalls;
import io.vsockproxy.testing.Background;
import io.vsockproxy.testing.Endpoint;
import io.vsockproxy.testing.FileCalls;
import io.vsockproxy.testing.MountedPair;
import io.vsockproxy.testing.Pattern;
import io.vsockproxy.testing.RunsOverVsock;
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

/** What a received file shows: the owner's, at every moment. */
@RunsOverVsock
@Timeout(value = 120, unit = TimeUnit.SECONDS, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class FileContentTest {
    private static final int MIB = 1 << 20;
    private static final int RANDOM_READS = 300;
    private static final int READERS = 32;
    private static final long SPARSE_LENGTH = 5L << 30;

    @RegisterExtension
    static final MountedPair PROXIES = new MountedPair();

    /** Where the owner's file lives. */
    enum Medium {
        DISK {
            @Override
            Endpoint file(final byte[] content) throws IOException {
                return PROXIES.file(content, Constants.O_RDWR);
            }
        },
        UNLINKED {
            @Override
            Endpoint file(final byte[] content) throws IOException {
                final Path path = Files.createTempFile(PROXIES.directory(), "unlinked", "");
                Files.write(path, content);
                final Endpoint file = PROXIES.closing(Endpoint.open(path, Constants.O_RDWR));
                Files.delete(path);
                return file;
            }
        },
        MEMORY {
            @Override
            Endpoint file(final byte[] content) {
                final Endpoint file = PROXIES.closing(FileCalls.memfd(new byte[0]));
                for (int done = 0; done < content.length; done += MIB) {
                    final int end = Math.min(done + MIB, content.length);
                    FileCalls.write(file, done, Arrays.copyOfRange(content, done, end));
                }
                return file;
            }
        };

        abstract Endpoint file(byte[] content) throws IOException;
    }

    @ParameterizedTest
    @EnumSource
    void shouldShowContentSizeAndType(final Medium medium) throws IOException {
        final byte[] content = Pattern.bytes(1, 3 * MIB + 4321);
        final Endpoint file = PROXIES.pass(Role.GUEST, medium.file(content));
        assertEquals(content.length, FileCalls.size(file));
        assertEquals(Constants.S_IFREG, FileCalls.mode(file) & Constants.S_IFMT);
        assertEquals(Constants.O_RDWR, file.statusFlags() & Constants.O_ACCMODE);
        // Three times: from memory, the third may come from mapped windows.
        for (int i = 0; i < 3; i++) {
            FileCalls.seek(file, 0, FileCalls.SEEK_SET);
            assertArrayEquals(content, file.readToEnd());
        }
    }

    @ParameterizedTest
    @EnumSource
    void shouldReadAnywhere(final Medium medium) throws IOException {
        final long seed = System.nanoTime();
        System.out.println("shouldReadAnywhere: seed=" + seed);
        final Random random = new Random(seed);
        final byte[] content = Pattern.bytes(seed, 5 * MIB + 77);
        final Endpoint file = PROXIES.pass(Role.HOST, medium.file(content));
        for (int i = 0; i < RANDOM_READS; i++) {
            final int offset = random.nextInt(content.length + 4096);
            final int length = 1 + random.nextInt(random.nextBoolean() ? 8192 : MIB);
            final int from = Math.min(offset, content.length);
            assertArrayEquals(
                Arrays.copyOfRange(content, from, (int) Math.min(content.length, (long) from + length)),
                FileCalls.read(file, offset, length),
                () -> "offset=" + offset + ", length=" + length);
        }
    }

    @ParameterizedTest
    @EnumSource(Role.class)
    void shouldGoOnWhereWhoPassedItHasRead(final Role from) throws IOException {
        final byte[] content = Pattern.bytes(8, 1000);
        final Endpoint file = PROXIES.file(content, Constants.O_RDWR);
        file.readFully(10);
        final Endpoint[] ends = PROXIES.connect(from);
        final Endpoint passed = PROXIES.pass(ends[0], ends[1], file);
        assertEquals(10, FileCalls.seek(passed, 0, FileCalls.SEEK_CUR));
        assertArrayEquals(Arrays.copyOfRange(content, 10, 15), passed.readFully(5));
        final Endpoint back = PROXIES.pass(ends[1], ends[0], passed);
        assertArrayEquals(Arrays.copyOfRange(content, 15, 20), back.readFully(5));
        // From here on, each side has its own position.
        assertArrayEquals(Arrays.copyOfRange(content, 10, 12), file.readFully(2));

        FileCalls.seek(file, 0, FileCalls.SEEK_END);
        final Endpoint written = PROXIES.pass(ends[0], ends[1], file);
        assertEquals(3, FileCalls.write(written, FileCalls.CURRENT_POSITION, new byte[] {1, 2, 3}));
        assertArrayEquals(new byte[] {1, 2, 3}, FileCalls.read(file, content.length, 10));

        FileCalls.seek(file, 5L << 30, FileCalls.SEEK_SET);
        final Endpoint far = PROXIES.pass(ends[0], ends[1], file);
        assertEquals(5L << 30, FileCalls.seek(far, 0, FileCalls.SEEK_CUR));
    }

    @Test
    void shouldKeepOnePositionForAllCopies() throws IOException {
        final Endpoint file = PROXIES.pass(
            Role.GUEST, PROXIES.file("0123456789".getBytes(StandardCharsets.ISO_8859_1), Constants.O_RDONLY));
        assertEquals("01", file.readText(2));
        final Endpoint copy = PROXIES.closing(FileCalls.duplicate(file));
        assertEquals("23", copy.readText(2));
        assertEquals(4, FileCalls.seek(file, 0, FileCalls.SEEK_CUR));
        assertEquals(8, FileCalls.seek(file, -2, FileCalls.SEEK_END));
        assertEquals("89", copy.readText(2));
        file.expectEnd();
        assertEquals(3, FileCalls.seek(file, 3, FileCalls.SEEK_SET));
        assertEquals("34", file.readText(2));
        assertEquals(-Errno.EINVAL, FileCalls.seek(file, -1, FileCalls.SEEK_SET));
    }

    @ParameterizedTest
    @EnumSource
    void shouldShowGrowthAndOverwritingAtOnce(final Medium medium) throws IOException {
        final Endpoint original = medium.file(new byte[0]);
        final Endpoint file = PROXIES.pass(Role.GUEST, original);
        assertEquals(0, FileCalls.size(file));
        file.expectEnd();
        final byte[] content = new byte[100 * 1000];
        for (int i = 0; i < 100; i++) {
            final byte[] piece = Pattern.bytes(i, 1000);
            assertEquals(1000, FileCalls.write(original, i * 1000L, piece));
            System.arraycopy(piece, 0, content, i * 1000, 1000);
            assertArrayEquals(piece, file.readFully(1000));
            assertEquals(1000L * (i + 1), FileCalls.seek(file, 0, FileCalls.SEEK_END));
            final byte[] overwritten = Pattern.bytes(-i, 10);
            assertEquals(10, FileCalls.write(original, 5, overwritten));
            assertArrayEquals(overwritten, FileCalls.read(file, 5, 10));
            System.arraycopy(overwritten, 0, content, 5, 10);
        }
        assertArrayEquals(content, FileCalls.read(file, 0, content.length + 1));
    }

    @Test
    void shouldReadFarBehindFourGibibytesOfASparseFile() throws IOException {
        final Endpoint original = PROXIES.file(new byte[0], Constants.O_RDWR);
        assertEquals(0, FileCalls.truncate(original, SPARSE_LENGTH));
        final Endpoint file = PROXIES.pass(Role.GUEST, original);
        final byte[] last = Pattern.bytes(3, 1000);
        assertEquals(1000, FileCalls.write(original, SPARSE_LENGTH - 1000, last));
        assertEquals(SPARSE_LENGTH, FileCalls.size(file));
        assertEquals(SPARSE_LENGTH - 1000, FileCalls.seek(file, -1000, FileCalls.SEEK_END));
        assertArrayEquals(last, file.readToEnd());
        assertArrayEquals(new byte[MIB], FileCalls.read(file, (1L << 32) - 100, MIB));
        final byte[] middle = Pattern.bytes(4, 5000);
        assertEquals(5000, FileCalls.write(file, (1L << 32) - 2500, middle));
        assertArrayEquals(middle, FileCalls.read(original, (1L << 32) - 2500, 5000));
        assertArrayEquals(middle, FileCalls.read(file, (1L << 32) - 2500, 5000));
        assertEquals(0, FileCalls.read(file, Long.MAX_VALUE - 4096, 4096).length);
    }

    @Test
    void shouldReadAFileOfTheProcFileSystem() throws IOException {
        final Path path = Path.of("/proc/version");
        final byte[] content = Files.readAllBytes(path);
        final Endpoint file = PROXIES.pass(Role.GUEST, PROXIES.closing(Endpoint.open(path, Constants.O_RDONLY)));
        assertEquals(0, FileCalls.size(file));
        assertArrayEquals(content, file.readToEnd());
        assertArrayEquals(Arrays.copyOfRange(content, 3, 9), FileCalls.read(file, 3, 6));
        // A file whose content is generated for each read.
        final Endpoint uptime = PROXIES.pass(
            Role.GUEST, PROXIES.closing(Endpoint.open(Path.of("/proc/uptime"), Constants.O_RDONLY)));
        assertTrue(new String(uptime.readToEnd(), StandardCharsets.ISO_8859_1).matches("[0-9.]+ [0-9.]+\n"));
    }

    @ParameterizedTest
    @EnumSource
    void shouldMapPrivately(final Medium medium) throws IOException {
        final byte[] content = Pattern.bytes(5, 300_000);
        final Endpoint original = medium.file(content);
        final Endpoint file = PROXIES.pass(Role.GUEST, original);
        final int protection = Constants.PROT_READ | Constants.PROT_WRITE;
        final long address = FileCalls.map(file, content.length, protection, Constants.MAP_PRIVATE);
        assertTrue(address > 0, () -> FileCalls.describe(address));
        try {
            final UnsafeBuffer mapped = new UnsafeBuffer(address, content.length);
            assertArrayEquals(content, bytes(mapped));
            mapped.putByte(77, (byte) ~content[77]);
            assertArrayEquals(content, FileCalls.read(original, 0, content.length));
        } finally {
            Syscalls.munmap(address, content.length);
        }
    }

    @ParameterizedTest
    @EnumSource
    void shouldMapShared(final Medium medium) throws IOException {
        final byte[] content = Pattern.bytes(6, 300_000);
        final Endpoint original = medium.file(content);
        final Endpoint file = PROXIES.pass(Role.HOST, original);
        final long address = FileCalls.map(file, content.length, Constants.PROT_READ, Constants.MAP_SHARED);
        Assumptions.assumeFalse(
            address == -Errno.ENODEV, "skipped: shared mappings of direct I/O files take Linux 6.6");
        assertTrue(address > 0, () -> FileCalls.describe(address));
        try {
            assertArrayEquals(content, bytes(new UnsafeBuffer(address, content.length)));
        } finally {
            Syscalls.munmap(address, content.length);
        }
        // A new mapping shows the current content, although the receiver's kernel has not been told of the change.
        final byte[] overwritten = Pattern.bytes(7, content.length);
        assertEquals(content.length, FileCalls.write(original, 0, overwritten));
        final long again = FileCalls.map(file, content.length, Constants.PROT_READ, Constants.MAP_SHARED);
        assertTrue(again > 0, () -> FileCalls.describe(again));
        try {
            assertArrayEquals(overwritten, bytes(new UnsafeBuffer(again, content.length)));
        } finally {
            Syscalls.munmap(again, content.length);
        }
    }

    @ParameterizedTest
    @EnumSource
    void shouldServeManyReadersAtOnce(final Medium medium) throws IOException {
        final byte[] content = Pattern.bytes(8, 4 * MIB);
        final Endpoint file = PROXIES.pass(Role.GUEST, medium.file(content));
        final List<CompletableFuture<Void>> readers = new ArrayList<>();
        for (int i = 0; i < READERS; i++) {
            final int reader = i;
            readers.add(Background.start(() -> {
                final Random random = new Random(reader);
                for (int left = 30; left > 0; left--) {
                    final int length = 1 + random.nextInt(reader % 2 == 0 ? 4096 : MIB);
                    final int offset = random.nextInt(content.length - length);
                    assertArrayEquals(
                        Arrays.copyOfRange(content, offset, offset + length), FileCalls.read(file, offset, length));
                    assertEquals(content.length, FileCalls.size(file));
                }
                return null;
            }));
        }
        Background.joinAll(readers);
    }

    @Test
    void shouldCarryFilesBothWaysAtOnce() throws IOException {
        final Endpoint[] ends = PROXIES.connect(Role.GUEST);
        final List<CompletableFuture<Void>> users = new ArrayList<>();
        for (int i = 0; i < 8; i++) {
            final byte[] content = Pattern.bytes(i, 2 * MIB + i);
            final Endpoint original = PROXIES.file(content, Constants.O_RDWR);
            final Endpoint file = PROXIES.pass(ends[i % 2], ends[1 - i % 2], original);
            users.add(Background.start(() -> {
                for (int round = 0; round < 5; round++) {
                    assertArrayEquals(
                        Arrays.copyOfRange(content, round, MIB), FileCalls.read(file, round, MIB - round));
                    final byte[] piece = Pattern.bytes(round, 300_000);
                    assertEquals(piece.length, FileCalls.write(file, MIB, piece));
                    assertArrayEquals(piece, FileCalls.read(original, MIB, piece.length));
                }
                return null;
            }));
        }
        Background.joinAll(users);
    }

    @Test
    void shouldNotBeListedOrFoundByAnyName() throws IOException {
        final Endpoint file = PROXIES.pass(Role.GUEST, PROXIES.file(Pattern.bytes(9, 10), Constants.O_RDONLY));
        final Path mount = PROXIES.mount(Role.HOST);
        assertEquals(0, mount.toFile().list().length);
        final String shown = Files.readSymbolicLink(Path.of("/proc/self/fd/" + file.fd())).toString();
        assertTrue(shown.startsWith(mount.toString()), shown);
        final Path name = Path.of(shown.replace(" (deleted)", ""));
        assertEquals(-Errno.ENOENT, FileCalls.open(name, Constants.O_RDONLY));
        assertFalse(Files.exists(name));
        assertEquals(-Errno.EPERM, FileCalls.open(mount.resolve("new"), Constants.O_RDWR | Constants.O_CREAT));
    }

    private static byte[] bytes(final UnsafeBuffer buffer) {
        final byte[] bytes = new byte[buffer.capacity()];
        buffer.getBytes(0, bytes);
        return bytes;
    }
}
