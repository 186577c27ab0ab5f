/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.file;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.vsockproxy.posix.Constants;
import io.vsockproxy.posix.Descriptors;
import io.vsockproxy.posix.Errno;
import io.vsockproxy.proto.VSockMessage;
import io.vsockproxy.testing.Endpoint;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.RandomAccessFile;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(value = 60, unit = TimeUnit.SECONDS)
class FileServerTest {
    private static final int LENGTH = 3_000_001;
    private static final int MAX_READ_LENGTH = 1 << 20;

    @TempDir(factory = DiskDirectory.class)
    private Path directory;
    private int descriptorsBefore;
    private ServedLink link;
    private Path path;

    @BeforeAll
    static void needsADisk() {
        DiskDirectory.assumeAvailable();
    }

    @BeforeEach
    void start() {
        new ServedLink(FileLimits.DEFAULTS).close();
        descriptorsBefore = Descriptors.count();
        link = new ServedLink(FileLimits.DEFAULTS);
        path = directory.resolve("file");
    }

    @AfterEach
    void stop() throws InterruptedException {
        link.close();
        Descriptors.assertCount(descriptorsBefore);
    }

    @Test
    void shouldReadAtRandom() throws IOException {
        final Random random = TestFiles.random("FileServerTest");
        final byte[] content = TestFiles.randomBytes(random, LENGTH);
        Files.write(path, content);
        readAtRandom(random, content, link.open(path, Constants.O_RDONLY));
    }

    @Test
    void shouldReadAtRandomFromMemory() throws IOException {
        final Random random = TestFiles.random("FileServerTest");
        final byte[] content = TestFiles.randomBytes(random, LENGTH);
        final Path memory = TestFiles.memoryFile();
        try {
            Files.write(memory, content);
            readAtRandom(random, content, link.open(memory, Constants.O_RDONLY));
        } finally {
            Files.delete(memory);
        }
    }

    @Test
    void shouldServeALongReadShortAndOneBehindTheEndEmpty() throws IOException {
        Files.write(path, TestFiles.randomBytes(new Random(1), LENGTH));
        final LocalFile file = link.open(path, Constants.O_RDONLY);
        assertEquals(MAX_READ_LENGTH, link.readNow(file, 0, LENGTH).length);
        assertEquals(MAX_READ_LENGTH, link.readNow(file, 0, -1).length);
        assertEquals(MAX_READ_LENGTH, link.readNow(file, 0, Long.MIN_VALUE).length);
        assertEquals(1, link.readNow(file, LENGTH - 1, LENGTH).length);
        assertEquals(0, link.readNow(file, LENGTH, 1).length);
        assertEquals(0, link.readNow(file, Long.MAX_VALUE - MAX_READ_LENGTH, -1).length);
        // As for pread(2) when the sum exceeds 2^63.
        assertEquals(Errno.EINVAL, link.readError(link.read(file, Long.MAX_VALUE, MAX_READ_LENGTH)));
    }

    @Test
    void shouldAnswerOffsetsFromTwoToThe63OnWithEinval() throws IOException {
        Files.write(path, new byte[10]);
        final LocalFile file = link.open(path, Constants.O_RDWR);
        assertEquals(Errno.EINVAL, link.readError(link.read(file, Long.MIN_VALUE, 1)));
        assertEquals(Errno.EINVAL, link.readError(link.read(file, -1, 1)));
        assertEquals(Errno.EINVAL, link.answer(link.write(file, -2, new byte[1])).getPwriteResponse().getErrorCode());
        assertEquals(Errno.EINVAL, link.answer(link.truncate(file, -1)).getFtruncateResponse().getErrorCode());
        final VSockMessage beyond = link.answer(link.write(file, Long.MAX_VALUE, new byte[2]));
        assertTrue(beyond.getPwriteResponse().getErrorCode() > 0);
        assertEquals(10, link.sizeNow(file));
    }

    @Test
    void shouldAnswerAReadOfNothingAtOnce() throws IOException {
        Files.write(path, new byte[10]);
        final LocalFile file = link.open(path, Constants.O_RDONLY);
        final long cookie = link.read(file, 0, 0);
        link.turn(1);
        link.receive(Integer.MAX_VALUE);
        assertTrue(link.isAnswered(cookie));
        assertEquals(0, link.bytes(cookie).length);
    }

    @Test
    void shouldAnswerWithTheErrorOfTheCallWhenTheAccessModeForbidsIt() throws IOException {
        Files.write(path, new byte[10]);
        assertEquals(Errno.EBADF, link.readError(link.read(link.open(path, Constants.O_WRONLY), 0, 1)));
        final LocalFile readable = link.open(path, Constants.O_RDONLY);
        assertEquals(
            Errno.EBADF, link.answer(link.write(readable, 0, new byte[1])).getPwriteResponse().getErrorCode());
        assertEquals(Errno.EINVAL, link.answer(link.truncate(readable, 0)).getFtruncateResponse().getErrorCode());
    }

    @Test
    void shouldReadFilesThatCannotBeMapped() throws IOException {
        final String cpus = Files.readString(Path.of("/proc/version"));
        final LocalFile version = link.open(Path.of("/proc/version"), Constants.O_RDONLY);
        assertEquals(cpus, new String(link.readNow(version, 0, MAX_READ_LENGTH), StandardCharsets.UTF_8));
        assertEquals(cpus, new String(link.readNow(version, 0, 200), StandardCharsets.UTF_8));
        final LocalFile status = link.open(Path.of("/proc/self/status"), Constants.O_RDONLY);
        final String text = new String(link.readNow(status, 0, 100_000), StandardCharsets.UTF_8);
        assertTrue(text.startsWith("Name:"), text);
        assertEquals(0, link.sizeNow(status));
    }

    @Test
    void shouldReadBeyondFourGibibytesOfASparseFile() throws IOException {
        final long size = 5L << 30;
        final byte[] bytes = TestFiles.randomBytes(new Random(2), 200_000);
        try (RandomAccessFile sparse = new RandomAccessFile(path.toFile(), "rw")) {
            sparse.setLength(size);
            sparse.seek((4L << 30) + 12_345);
            sparse.write(bytes);
        }
        final LocalFile file = link.open(path, Constants.O_RDWR);
        assertArrayEquals(bytes, link.readNow(file, (4L << 30) + 12_345, bytes.length));
        assertArrayEquals(new byte[MAX_READ_LENGTH], link.readNow(file, 1L << 30, MAX_READ_LENGTH));
        assertEquals(100, link.readNow(file, size - 100, 1000).length);
        assertEquals(size, link.sizeNow(file));
        link.writeNow(file, size, bytes);
        assertArrayEquals(bytes, link.readNow(file, size, bytes.length + 1));
        assertEquals(size + bytes.length, link.sizeNow(file));
    }

    @Test
    void shouldSeeGrowthOverwritesAndCutsAtOnce() throws IOException {
        for (final Path each : new Path[] {path, TestFiles.memoryFile()}) {
            try {
                Files.write(each, new byte[] {1, 2, 3});
                final LocalFile file = link.open(each, Constants.O_RDONLY);
                assertArrayEquals(new byte[] {1, 2, 3}, link.readNow(file, 0, 10));
                Files.write(each, new byte[] {4, 5, 6, 7});
                assertArrayEquals(new byte[] {4, 5, 6, 7}, link.readNow(file, 0, 10));
                assertEquals(4, link.sizeNow(file));
                TestFiles.truncate(each, 1);
                assertArrayEquals(new byte[] {4}, link.readNow(file, 0, 10));
                assertEquals(1, link.sizeNow(file));
                TestFiles.truncate(each, 0);
                assertEquals(0, link.readNow(file, 0, 10).length);
            } finally {
                Files.delete(each);
            }
        }
    }

    @Test
    void shouldWriteCutAndExtend() throws IOException {
        for (final Path each : new Path[] {path, TestFiles.memoryFile()}) {
            try {
                Files.write(each, new byte[0]);
                final LocalFile file = link.open(each, Constants.O_RDWR);
                final byte[] bytes = TestFiles.randomBytes(new Random(3), 1_500_000);
                link.writeNow(file, 0, bytes);
                link.writeNow(file, 10, new byte[] {1, 2});
                link.writeNow(file, 0, new byte[0]);
                bytes[10] = 1;
                bytes[11] = 2;
                assertArrayEquals(bytes, Files.readAllBytes(each));
                assertEquals(0, link.answer(link.truncate(file, 5)).getFtruncateResponse().getErrorCode());
                assertArrayEquals(Arrays.copyOf(bytes, 5), Files.readAllBytes(each));
                assertEquals(0, link.answer(link.truncate(file, 7)).getFtruncateResponse().getErrorCode());
                assertEquals(7, link.sizeNow(file));
                assertArrayEquals(Arrays.copyOf(Arrays.copyOf(bytes, 5), 7), link.readNow(file, 0, 100));
            } finally {
                Files.delete(each);
            }
        }
    }

    @Test
    void shouldHaveAWorkerDoAWriteThatMustReachTheDisk() throws IOException {
        Files.write(path, new byte[0]);
        for (final int flag : new int[] {Constants.O_DSYNC, Constants.O_SYNC}) {
            final LocalFile file = link.open(path, Constants.O_RDWR | flag);
            assertTrue(file.refusesNowaitWrite());
            final long cookie = link.write(file, 0, new byte[] {1, 2, 3});
            assertEquals(1, link.server.requestCount());
            assertEquals(3, link.answer(cookie).getPwriteResponse().getBytesWritten());
            // As if it had been opened with O_DIRECT too.
            file.reopened();
            assertTrue(file.refusesNowaitWrite());
        }
        final LocalFile other = link.open(path, Constants.O_RDWR);
        assertFalse(other.refusesNowaitWrite());
        assertArrayEquals(new byte[] {1, 2, 3}, link.readNow(other, 0, 10));
    }

    @Test
    void shouldAnswerWithAnErrorWhatAWorkerFailsToPerform() throws IOException {
        Files.write(path, new byte[] {1, 2, 3});
        final LocalFile file = link.open(path, Constants.O_RDWR);
        // Whatever a worker does now throws.
        file.closing().perform();
        assertEquals(Errno.EIO, link.answer(link.truncate(file, 1)).getFtruncateResponse().getErrorCode());
        assertEquals(Errno.EIO, link.answer(link.sync(file)).getFstatResponse().getErrorCode());
        assertEquals(Errno.EIO, link.answer(link.examine(file)).getFstatResponse().getErrorCode());
    }

    @Test
    void shouldNeitherBeDoneNorHaveReopenedTheFileIfThatThrows() throws IOException {
        Files.write(path, new byte[] {1, 2, 3});
        final LocalFile file = link.open(path, Constants.O_RDWR);
        file.closing().perform();
        final FileRequest request = new FileRequest(null, null);
        for (final FileRequest.Operation operation : FileRequest.Operation.values()) {
            request.begin(file, operation, 1, 0, 3);
            request.reopens = true;
            assertThrows(IllegalStateException.class, request::perform);
            assertEquals(-Errno.EIO, request.result, operation::name);
            assertFalse(request.reopens, operation::name);
        }
    }

    @Test
    void shouldAppendWhateverTheOffsetWhenTheFileIsOpenToAppend() throws IOException {
        Files.write(path, new byte[] {1, 2, 3});
        final LocalFile file = link.open(path, Constants.O_RDWR | Constants.O_APPEND);
        link.writeNow(file, 0, new byte[] {4});
        link.writeNow(file, 0, new byte[] {5});
        assertArrayEquals(new byte[] {1, 2, 3, 4, 5}, Files.readAllBytes(path));
    }

    @Test
    void shouldReadAColdFileByAWorkerWhileOtherFilesAreAnswered() throws IOException, InterruptedException {
        final byte[] content = TestFiles.randomBytes(new Random(4), 32 << 20);
        Files.write(path, content);
        final Path warm = directory.resolve("warm");
        Files.write(warm, new byte[] {1});
        final LocalFile warmFile = link.open(warm, Constants.O_RDONLY);
        assertEquals(1, link.readNow(warmFile, 0, 1).length);
        TestFiles.evict(path);
        final LocalFile file = link.open(path, Constants.O_RDONLY);
        final long[] cookies = new long[32];
        for (int i = 0; i < cookies.length; i++) {
            cookies[i] = link.read(file, (long) i << 20, 1 << 20);
        }
        assertTrue(link.server.requestCount() > 0, "RWF_NOWAIT found a cold file warm");
        final long cookie = link.read(warmFile, 0, 1);
        assertArrayEquals(new byte[] {1}, link.bytes(cookie));
        for (int i = 0; i < cookies.length; i++) {
            assertArrayEquals(Arrays.copyOfRange(content, i << 20, (i + 1) << 20), link.bytes(cookies[i]));
        }
        assertEquals(0, link.server.requestCount());
        assertArrayEquals(Arrays.copyOf(content, 5000), link.readNow(file, 0, 5000));
    }

    @Test
    void shouldServeASealedMemfd() throws IOException, InterruptedException {
        final Process process = TestFiles.python(
            """
            import fcntl, os, sys
            fd = os.memfd_create('sealed', os.MFD_ALLOW_SEALING)
            os.write(fd, b'sealed' * 50000)
            fcntl.fcntl(fd, 1033, 15)  # F_ADD_SEALS: all that there are
            print(fd, flush=True)
            sys.stdin.read()
            """);
        try (BufferedReader reader =
            new BufferedReader(new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8))) {
            final String fd = reader.readLine();
            final LocalFile file = link.open(
                Path.of("/proc/" + process.pid() + "/fd/" + fd), Constants.O_RDWR);
            for (int i = 0; i < 4; i++) {
                final String text = new String(link.readNow(file, 0, 300_000), StandardCharsets.UTF_8);
                assertEquals("sealed".repeat(50_000), text);
            }
            assertEquals(
                Errno.EPERM, link.answer(link.write(file, 0, new byte[1])).getPwriteResponse().getErrorCode());
            assertEquals(Errno.EPERM, link.answer(link.truncate(file, 1)).getFtruncateResponse().getErrorCode());
            assertEquals(300_000, link.sizeNow(file));
        } finally {
            process.destroy();
            assertTrue(process.waitFor(20, TimeUnit.SECONDS));
        }
    }

    @Test
    void shouldCloseAFileOnlyAfterTheRequestsThatCameBefore() throws IOException, InterruptedException {
        Files.write(path, new byte[0]);
        final int before = Descriptors.count();
        final LocalFile file = link.open(path, Constants.O_RDWR);
        final long write = link.write(file, 0, new byte[] {1, 2, 3});
        final long read = link.read(file, 0, 3);
        final long size = link.examine(file);
        link.release(file);
        assertArrayEquals(new byte[] {1, 2, 3}, link.bytes(read));
        assertEquals(3, link.answer(write).getPwriteResponse().getBytesWritten());
        assertEquals(3, link.answer(size).getFstatResponse().getSize());
        Descriptors.assertCount(before);
    }

    @Test
    void shouldCloseEveryFileOnceWhenTheSessionEndsWithRequestsOutstanding() throws IOException {
        openAndAskMuch();
        link.turn(3);
        // stop() checks the descriptors and the mapped bytes.
        link.endSession();
    }

    @Test
    void shouldCloseFilesThatThePeerHasClosedWhenTheSessionEndsWithRequestsOutstanding() throws IOException {
        for (final LocalFile file : openAndAskMuch()) {
            link.release(file);
        }
        // As above.
        link.endSession();
    }

    private LocalFile[] openAndAskMuch() throws IOException {
        final byte[] content = TestFiles.randomBytes(new Random(5), 8 << 20);
        Files.write(path, content);
        final LocalFile[] files = new LocalFile[20];
        for (int i = 0; i < files.length; i++) {
            files[i] = link.open(path, Constants.O_RDWR);
            for (int j = 0; j < 20; j++) {
                link.read(files[i], (long) j << 18, 1 << 18);
                link.write(files[i], (long) j << 18, new byte[1000]);
                link.examine(files[i]);
            }
        }
        return files;
    }

    private void readAtRandom(final Random random, final byte[] content, final LocalFile file) {
        for (int i = 0; i < 300; i++) {
            final int offset = random.nextInt(LENGTH);
            final int length = 1 + random.nextInt(random.nextBoolean() ? 10_000 : MAX_READ_LENGTH);
            assertArrayEquals(
                Arrays.copyOfRange(content, offset, Math.min(LENGTH, offset + length)),
                link.readNow(file, offset, length));
        }
    }

    @Test
    void shouldServeADescriptorWithoutAName() throws IOException {
        Files.write(path, new byte[] {1, 2, 3});
        final Endpoint descriptor = Endpoint.open(path, Constants.O_RDONLY);
        Files.delete(path);
        final LocalFile file = link.serve(descriptor);
        assertArrayEquals(new byte[] {2, 3}, link.readNow(file, 1, 10));
        assertEquals(3, link.sizeNow(file));
    }
}
