/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.file;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.vsockproxy.posix.Constants;
import io.vsockproxy.posix.Descriptors;
import java.io.IOException;
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
class FileMappingTest {
    private static final int READ_LENGTH = 1 << 20;
    private static final int WINDOW_LENGTH = 2 << 20;
    /** Everything of a page or more is answered from the mapped file. */
    private static final FileLimits LIMITS = FileLimits.DEFAULTS.withMapping(4096, 4096, 0);

    @TempDir(factory = DiskDirectory.class)
    private Path directory;
    private int descriptorsBefore;
    private Path path;
    private ServedLink link;

    @BeforeAll
    static void needsADisk() {
        DiskDirectory.assumeAvailable();
    }

    @BeforeEach
    void start() {
        new ServedLink(LIMITS).close();
        descriptorsBefore = Descriptors.count();
        path = directory.resolve("mapped-file");
    }

    @AfterEach
    void stop() throws InterruptedException {
        link.close();
        assertEquals(0, TestFiles.mappings(path));
        Descriptors.assertCount(descriptorsBefore);
    }

    @Test
    void shouldAnswerFromTheMappedFileAndUnmapItWhenItIsClosed() throws IOException {
        final byte[] content = write(5_000_000);
        link = new ServedLink(LIMITS);
        final LocalFile file = openMapped();
        final Random random = TestFiles.random("FileMappingTest");
        for (int i = 0; i < 200; i++) {
            final int offset = random.nextInt(content.length);
            final int length = 1 + random.nextInt(READ_LENGTH);
            assertArrayEquals(
                Arrays.copyOfRange(content, offset, Math.min(content.length, offset + length)),
                link.readNow(file, offset, length));
        }
        assertEquals(1, TestFiles.mappings(path));
        link.release(file);
        link.turnUntil(() -> TestFiles.mappings(path) == 0, true, "the file unmapped");
    }

    @Test
    void shouldMapAFileInMemoryOnceItHasBeenReadOver() throws IOException {
        final Path memory = TestFiles.memoryFile();
        link = new ServedLink(FileLimits.DEFAULTS);
        try {
            final byte[] content = TestFiles.randomBytes(new Random(1), 4 << 20);
            Files.write(memory, content);
            final LocalFile file = link.open(memory, Constants.O_RDONLY);
            link.sizeNow(file);
            for (int pass = 0; pass < 3; pass++) {
                assertEquals(pass < 2 ? 0 : 1, TestFiles.mappings(memory), "pass " + pass);
                for (int offset = 0; offset < content.length; offset += READ_LENGTH) {
                    assertArrayEquals(
                        Arrays.copyOfRange(content, offset, offset + READ_LENGTH),
                        link.readNow(file, offset, READ_LENGTH));
                }
            }
        } finally {
            Files.delete(memory);
        }
    }

    @Test
    void shouldTakeNoMemoryForTheHolesOfASparseFileInMemory() throws IOException, InterruptedException {
        final Path memory = TestFiles.memoryFile();
        link = new ServedLink(LIMITS);
        try {
            TestFiles.truncate(memory, 0);
            try (RandomAccessFile sparse = new RandomAccessFile(memory.toFile(), "rw")) {
                sparse.setLength(64 << 20);
            }
            final LocalFile file = link.open(memory, Constants.O_RDONLY);
            for (int offset = 0; offset < 64 << 20; offset += READ_LENGTH) {
                assertArrayEquals(new byte[READ_LENGTH], link.readNow(file, offset, READ_LENGTH));
            }
            final Process stat = new ProcessBuilder("stat", "-c", "%b", memory.toString()).start();
            final String blocks =
                new String(stat.getInputStream().readAllBytes(), StandardCharsets.UTF_8).trim();
            assertTrue(stat.waitFor(20, TimeUnit.SECONDS));
            assertEquals("0", blocks);
        } finally {
            Files.delete(memory);
        }
    }

    @Test
    void shouldMapBeyondFourGibibytes() throws IOException {
        final long offset = (4L << 30) + (3L << 20);
        final byte[] bytes = TestFiles.randomBytes(new Random(2), READ_LENGTH);
        try (RandomAccessFile sparse = new RandomAccessFile(path.toFile(), "rw")) {
            sparse.setLength(5L << 30);
            sparse.seek(offset);
            sparse.write(bytes);
        }
        link = new ServedLink(LIMITS);
        final LocalFile file = openMapped();
        assertArrayEquals(bytes, link.readNow(file, offset, READ_LENGTH));
        assertEquals(1, TestFiles.mappings(path));
        assertArrayEquals(
            Arrays.copyOfRange(bytes, 777, 777 + 123_456), link.readNow(file, offset + 777, 123_456));
    }

    @Test
    void shouldSeeGrowthInAWindowMappedBefore() throws IOException {
        write(10_000);
        link = new ServedLink(LIMITS);
        final LocalFile file = openMapped();
        assertEquals(10_000, link.readNow(file, 0, READ_LENGTH).length);
        final byte[] more = TestFiles.randomBytes(new Random(3), 3_000_000);
        Files.write(path, more);
        assertArrayEquals(Arrays.copyOf(more, READ_LENGTH), link.readNow(file, 0, READ_LENGTH));
        assertArrayEquals(
            Arrays.copyOfRange(more, 2_500_000, 3_000_000), link.readNow(file, 2_500_000, READ_LENGTH));
        assertEquals(1, TestFiles.mappings(path));
    }

    @Test
    void shouldKeepToItsAddressSpaceAndUnmapWhatWasUsedLeastRecently() throws IOException {
        final byte[] content = write(16 << 20);
        link = new ServedLink(LIMITS, 2, 2 * WINDOW_LENGTH, WINDOW_LENGTH);
        final LocalFile file = openMapped();
        final Random random = TestFiles.random("FileMappingTest");
        int mapped = 0;
        for (int i = 0; i < 300; i++) {
            final int length = 1 + random.nextInt(WINDOW_LENGTH / 4);
            final int offset = random.nextInt(content.length - length);
            assertArrayEquals(
                Arrays.copyOfRange(content, offset, offset + length), link.readNow(file, offset, length));
            assertTrue(link.windows.mappedLength() <= 2 * WINDOW_LENGTH);
            final int mappings = TestFiles.mappings(path);
            assertTrue(mappings <= 2, () -> "mappings=" + mappings);
            mapped = Math.max(mapped, mappings);
        }
        assertEquals(2, mapped);
        // The first window, the second and the first again are used: the third then replaces the second.
        for (final long window : new long[] {0, 1, 0, 2}) {
            link.turnUntil(
                () -> {
                    link.readNow(file, window * WINDOW_LENGTH, 8192);
                    return file.window(window * WINDOW_LENGTH) != null;
                },
                true, "window " + window + " mapped");
        }
        assertNotNull(file.window(0));
        assertNull(file.window(WINDOW_LENGTH));
    }

    @Test
    void shouldNotUnmapAWindowThatAnUnsentAnswerLiesIn() throws IOException {
        final byte[] content = write(3 * WINDOW_LENGTH);
        link = new ServedLink(LIMITS, 2, WINDOW_LENGTH, WINDOW_LENGTH);
        final LocalFile file = openMapped();
        final long pinned = link.read(file, 0, READ_LENGTH);
        link.turn(2);
        assertTrue(link.ring.externalBytes() > 0);
        final long[] others = new long[4];
        for (int i = 0; i < others.length; i++) {
            others[i] = link.read(file, WINDOW_LENGTH + (long) i * 10_000, 10_000);
            link.turn(2);
        }
        assertEquals(1, TestFiles.mappings(path));
        assertNotNull(file.window(0));
        assertArrayEquals(Arrays.copyOf(content, READ_LENGTH), link.bytes(pinned));
        for (int i = 0; i < others.length; i++) {
            final int offset = WINDOW_LENGTH + i * 10_000;
            assertArrayEquals(Arrays.copyOfRange(content, offset, offset + 10_000), link.bytes(others[i]));
        }
    }

    @Test
    void shouldKeepTheFrameWholeWhenTheFileIsCutInTheMiddleOfAnAnswer() throws IOException {
        final byte[] content = write(READ_LENGTH);
        link = new ServedLink(LIMITS);
        final LocalFile file = openMapped();
        for (final int left : new int[] {READ_LENGTH - 5000, 700_001, 4096, 0}) {
            Files.write(path, content);
            final long read = link.read(file, 0, READ_LENGTH);
            link.turn(2);
            final long unsent = link.ring.externalBytes();
            assertTrue(unsent > 0 && unsent < READ_LENGTH, () -> "unsent=" + unsent);
            TestFiles.truncate(path, left);
            final byte[] bytes = link.bytes(read);
            assertEquals(READ_LENGTH, bytes.length);
            final int sent = (int) (READ_LENGTH - unsent);
            final int kept = Math.max(sent, left);
            assertArrayEquals(Arrays.copyOf(content, kept), Arrays.copyOf(bytes, kept), "left=" + left);
            assertArrayEquals(new byte[READ_LENGTH - kept], Arrays.copyOfRange(bytes, kept, READ_LENGTH));
            assertEquals(left, link.readNow(file, 0, READ_LENGTH).length);
        }
    }

    @Test
    void shouldAnswerWithFewerBytesWhenTheFileIsCutBeforeTheAnswerHasBegun() throws IOException {
        final byte[] content = write(READ_LENGTH);
        link = new ServedLink(LIMITS);
        final LocalFile file = openMapped();
        for (final int left : new int[] {500_000, 5000, 0}) {
            Files.write(path, content);
            final long first = link.read(file, 0, READ_LENGTH);
            final long second = link.read(file, 0, READ_LENGTH / 2);
            link.turn(2);
            assertTrue(link.ring.externalBytes() > READ_LENGTH / 2);
            TestFiles.truncate(path, left);
            assertEquals(READ_LENGTH, link.bytes(first).length);
            assertArrayEquals(Arrays.copyOf(content, left), link.bytes(second));
        }
    }

    @Test
    void shouldSendTheCurrentContentWhenTheFileWasCutAndHasGrownAgain() throws IOException {
        final byte[] content = write(READ_LENGTH);
        link = new ServedLink(LIMITS);
        final LocalFile file = openMapped();
        final long read = link.read(file, 0, READ_LENGTH);
        link.turn(2);
        final int sent = (int) (READ_LENGTH - link.ring.externalBytes());
        TestFiles.truncate(path, 0);
        final byte[] fresh = TestFiles.randomBytes(new Random(9), READ_LENGTH);
        Files.write(path, fresh);
        final byte[] bytes = link.bytes(read);
        assertArrayEquals(Arrays.copyOf(content, sent), Arrays.copyOf(bytes, sent));
        assertArrayEquals(
            Arrays.copyOfRange(fresh, sent, READ_LENGTH), Arrays.copyOfRange(bytes, sent, READ_LENGTH));
    }

    @Test
    void shouldSurviveAFileThatIsCutAndExtendedAllTheTime() throws IOException, InterruptedException {
        final byte[] ones = new byte[READ_LENGTH];
        Arrays.fill(ones, (byte) 1);
        Files.write(path, ones);
        link = new ServedLink(LIMITS);
        final LocalFile file = openMapped();
        final boolean[] over = {false};
        final Thread cutter = new Thread(() -> {
            final Random random = new Random(4);
            try (RandomAccessFile cut = new RandomAccessFile(path.toFile(), "rw")) {
                while (!isOver(over)) {
                    cut.setLength(random.nextInt(READ_LENGTH));
                    cut.seek(0);
                    cut.write(ones, 0, random.nextInt(READ_LENGTH));
                }
            } catch (final IOException e) {
                throw new AssertionError(e);
            }
        });
        cutter.start();
        for (int i = 0; i < 400; i++) {
            final byte[] bytes = link.readNow(file, 0, READ_LENGTH);
            assertTrue(bytes.length <= READ_LENGTH);
            for (final byte b : bytes) {
                assertTrue(b == 0 || b == 1);
            }
        }
        synchronized (over) {
            over[0] = true;
        }
        cutter.join(TimeUnit.SECONDS.toMillis(20));
    }

    @Test
    void shouldHaveAWorkerReadAColdRangeOfAMappedFile() throws IOException, InterruptedException {
        final byte[] content = write(8 << 20);
        link = new ServedLink(LIMITS);
        TestFiles.evict(path);
        final LocalFile file = openMapped();
        final long cookie = link.read(file, 2 << 20, READ_LENGTH);
        assertEquals(1, link.server.requestCount(), "mincore found a cold range warm");
        assertArrayEquals(Arrays.copyOfRange(content, 2 << 20, 3 << 20), link.bytes(cookie));
        final long again = link.read(file, 2 << 20, READ_LENGTH);
        link.turn(1);
        assertTrue(link.ring.externalBytes() > 0);
        assertArrayEquals(Arrays.copyOfRange(content, 2 << 20, 3 << 20), link.bytes(again));
    }

    @Test
    void shouldReleaseWindowsWhenTheSessionEndsWithAnswersUnsent() throws IOException {
        write(4 * READ_LENGTH);
        link = new ServedLink(LIMITS);
        final LocalFile file = openMapped();
        for (int i = 0; i < 4; i++) {
            link.read(file, (long) i * READ_LENGTH, READ_LENGTH);
        }
        link.turn(2);
        assertTrue(link.ring.externalBytes() > 0);
        link.endSession();
        // stop() checks the mappings, the mapped bytes and the descriptors.
        assertEquals(0, link.ring.externalBytes());
    }

    private static boolean isOver(final boolean[] over) {
        synchronized (over) {
            return over[0];
        }
    }

    private byte[] write(final int length) throws IOException {
        final byte[] content = TestFiles.randomBytes(new Random(length), length);
        Files.write(path, content);
        return content;
    }

    /** The file, which a worker has looked at. */
    private LocalFile openMapped() {
        final LocalFile file = link.open(path, Constants.O_RDWR);
        link.sizeNow(file);
        assertTrue(file.isMappable(), "the file system of the test's directory: " + file.kind());
        return file;
    }
}
