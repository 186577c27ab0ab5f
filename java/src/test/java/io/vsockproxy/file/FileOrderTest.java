/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.file;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.vsockproxy.posix.Constants;
import io.vsockproxy.posix.Descriptors;
import io.vsockproxy.posix.Errno;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * Requests that wait for one another, for workers or for room, and how many may wait.
 */
@Timeout(value = 60, unit = TimeUnit.SECONDS)
class FileOrderTest {
    private static final int THREADS = 2;
    private static final int MAPPED_LENGTH = 256 << 10;
    private static final FileLimits LIMITS = FileLimits.DEFAULTS.withMapping(MAPPED_LENGTH, MAPPED_LENGTH, 0);

    @TempDir(factory = DiskDirectory.class)
    private Path directory;
    private int descriptorsBefore;
    private Path path;
    private ServedLink link;

    /** Keeps a worker busy until told otherwise. */
    private static final class Busy extends FileTask {
        private final CountDownLatch begun = new CountDownLatch(1);
        private final CountDownLatch released = new CountDownLatch(1);

        @Override
        void perform() {
            begun.countDown();
            try {
                assertTrue(released.await(20, TimeUnit.SECONDS));
            } catch (final InterruptedException e) {
                throw new AssertionError(e);
            }
        }

        @Override
        void completed() {
            // Nothing waits for this task.
        }
    }

    @BeforeAll
    static void needsADisk() {
        DiskDirectory.assumeAvailable();
    }

    @BeforeEach
    void start() {
        new ServedLink(LIMITS).close();
        descriptorsBefore = Descriptors.count();
        path = directory.resolve("file");
    }

    @AfterEach
    void stop() throws InterruptedException {
        if (link != null) {
            link.close();
        }
        Descriptors.assertCount(descriptorsBefore);
    }

    @Test
    void shouldGiveTheSameResultsForConcurrentRequestsAsForOneAtATime() throws IOException {
        final Random random = TestFiles.random("FileOrderTest");
        link = serve(LIMITS);
        for (int round = 0; round < 20; round++) {
            final boolean memory = random.nextInt(4) == 0;
            final Path each = memory ? TestFiles.memoryFile() : path;
            try {
                run(random, each);
            } finally {
                Files.delete(each);
            }
        }
    }

    @Test
    void shouldLetReadsPassAWriteThatDoesNotOverlap() throws IOException, InterruptedException {
        final LocalFile file = serve(LIMITS, new byte[10_000]);
        final List<Busy> busy = occupyWorkers();
        final long write = link.write(file, 1000, new byte[] {1, 2, 3});
        final long before = link.read(file, 0, 1000);
        final long behind = link.read(file, 1003, 10);
        final long overlapping = link.read(file, 999, 3);
        final long size = link.examine(file);
        link.turn(3);
        link.receive(Integer.MAX_VALUE);
        assertTrue(link.isAnswered(before));
        assertTrue(link.isAnswered(behind));
        assertFalse(link.isAnswered(write));
        assertFalse(link.isAnswered(overlapping));
        assertFalse(link.isAnswered(size));
        busy.forEach(task -> task.released.countDown());
        assertArrayEquals(new byte[] {0, 1, 2}, link.bytes(overlapping));
        assertEquals(3, link.answer(write).getPwriteResponse().getBytesWritten());
        assertEquals(10_000, link.answer(size).getFstatResponse().getSize());
    }

    @Test
    void shouldSynchroniseAfterTheWritesThatCameBeforeAndHoldNothingUp() throws IOException, InterruptedException {
        final LocalFile file = serve(LIMITS, new byte[10_000]);
        final List<Busy> busy = occupyWorkers();
        final long before = link.write(file, 10_000, new byte[2]);
        final long sync = link.sync(file);
        // The second may begin only when a worker has finished the first.
        assertTrue(file.mustWait(file.first().next));
        busy.forEach(task -> task.released.countDown());
        assertEquals(10_002, link.answer(sync).getFstatResponse().getSize());
        assertEquals(2, link.answer(before).getPwriteResponse().getBytesWritten());

        final List<Busy> again = occupyWorkers();
        final long second = link.sync(file);
        final long behind = link.write(file, 0, new byte[3]);
        assertFalse(file.mustWait(file.first().next));
        final long read = link.read(file, 5000, 10);
        link.turn(3);
        link.receive(Integer.MAX_VALUE);
        assertTrue(link.isAnswered(read));
        again.forEach(task -> task.released.countDown());
        assertEquals(3, link.answer(behind).getPwriteResponse().getBytesWritten());
        assertEquals(0, link.answer(second).getFstatResponse().getErrorCode());
    }

    @Test
    void shouldAppendBehindTheWritesThatCameBefore() throws IOException, InterruptedException {
        final LocalFile file = serve(LIMITS, new byte[10]);
        final List<Busy> busy = occupyWorkers();
        link.write(file, 10, new byte[] {1});
        final long append = link.append(file, new byte[] {2});
        assertTrue(file.mustWait(file.first().next));
        link.write(file, 0, new byte[] {3});
        assertTrue(file.mustWait(file.first().next.next));
        busy.forEach(task -> task.released.countDown());
        assertEquals(1, link.answer(append).getPwriteResponse().getBytesWritten());
        assertArrayEquals(new byte[] {3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2}, link.readNow(file, 0, 20));
    }

    @Test
    void shouldNotChangeBytesThatAMappedAnswerStillHasToSend() throws IOException {
        final byte[] content = TestFiles.randomBytes(new Random(1), 1 << 20);
        final LocalFile file = serve(LIMITS, content);
        final long read = link.read(file, 0, content.length);
        link.turn(3);
        assertTrue(link.ring.externalBytes() > 0);
        final long write = link.write(file, content.length - 10, new byte[10]);
        final long truncate = link.truncate(file, 0);
        final long again = link.read(file, 0, 10);
        link.turn(50);
        assertEquals(content.length, Files.size(path));
        assertArrayEquals(content, link.bytes(read));
        assertEquals(10, link.answer(write).getPwriteResponse().getBytesWritten());
        assertEquals(0, link.answer(truncate).getFtruncateResponse().getErrorCode());
        assertEquals(0, link.bytes(again).length);
    }

    @Test
    void shouldAnswerEagainBeyondTheLimitOfRequests() throws IOException, InterruptedException {
        final LocalFile file = serve(LIMITS.withMaxRequests(3), new byte[100]);
        final List<Busy> busy = occupyWorkers();
        final long[] kept = {link.write(file, 0, new byte[1]), link.truncate(file, 50), link.examine(file)};
        assertEquals(Errno.EAGAIN, link.readError(link.read(file, 0, 1)));
        assertEquals(
            Errno.EAGAIN, link.answer(link.write(file, 0, new byte[1])).getPwriteResponse().getErrorCode());
        assertEquals(Errno.EAGAIN, link.answer(link.examine(file)).getFstatResponse().getErrorCode());
        assertEquals(Errno.EAGAIN, link.answer(link.truncate(file, 0)).getFtruncateResponse().getErrorCode());
        busy.forEach(task -> task.released.countDown());
        assertEquals(1, link.answer(kept[0]).getPwriteResponse().getBytesWritten());
        assertEquals(0, link.answer(kept[1]).getFtruncateResponse().getErrorCode());
        assertEquals(50, link.answer(kept[2]).getFstatResponse().getSize());
        assertEquals(50, link.readNow(file, 0, 100).length);
    }

    @Test
    void shouldAnswerEagainBeyondTheLimitOfBytesToBeWritten() throws IOException, InterruptedException {
        final LocalFile file = serve(LIMITS.withMaxPendingWriteLength(10_000), new byte[100]);
        final List<Busy> busy = occupyWorkers();
        final long first = link.write(file, 0, new byte[20_000]);
        assertEquals(
            Errno.EAGAIN, link.answer(link.write(file, 0, new byte[1])).getPwriteResponse().getErrorCode());
        busy.forEach(task -> task.released.countDown());
        assertEquals(20_000, link.answer(first).getPwriteResponse().getBytesWritten());
        link.writeNow(file, 0, new byte[1]);
    }

    @Test
    void shouldTakeTurnsBetweenFilesThatWaitForRoom() throws IOException {
        final int count = 12;
        final byte[] content = new byte[1 << 20];
        Files.write(path, content);
        link = serve(FileLimits.DEFAULTS);
        final LocalFile[] files = new LocalFile[3];
        final List<List<Long>> cookies = new ArrayList<>();
        for (int i = 0; i < files.length; i++) {
            files[i] = link.open(path, Constants.O_RDONLY);
            cookies.add(new ArrayList<>());
        }
        link.readNow(files[0], 0, content.length);
        // All requests about the first file come before any about the others.
        for (int i = 0; i < files.length; i++) {
            for (int j = 0; j < count; j++) {
                cookies.get(i).add(link.read(files[i], 0, content.length));
            }
        }
        link.turn(3);
        for (int i = 0; i < files.length; i++) {
            for (final long cookie : cookies.get(i)) {
                assertEquals(content.length, link.bytes(cookie).length);
            }
        }
        final List<Long> order = link.order();
        // When the first file's requests are done, a good part of the others', which came later, is too.
        final int over = order.indexOf(cookies.get(0).get(count - 1));
        for (int i = 1; i < files.length; i++) {
            final int halfWay = order.indexOf(cookies.get(i).get(count / 2));
            assertTrue(halfWay < over, () -> "order=" + order);
        }
    }

    @Test
    void shouldReadManyColdRangesOfOneFileWithNoMoreMemoryThanAllowed() throws IOException, InterruptedException {
        final byte[] content = TestFiles.randomBytes(new Random(2), 8 << 20);
        Files.write(path, content);
        TestFiles.evict(path);
        link = serve(LIMITS.withMaxReadBufferLength(1 << 20));
        final LocalFile file = link.open(path, Constants.O_RDONLY);
        final long[] cookies = new long[32];
        final int length = content.length / cookies.length;
        for (int i = 0; i < cookies.length; i++) {
            cookies[i] = link.read(file, (long) i * length, length);
        }
        for (int i = cookies.length - 1; i >= 0; i--) {
            assertArrayEquals(Arrays.copyOfRange(content, i * length, (i + 1) * length), link.bytes(cookies[i]));
        }
    }

    @Test
    void shouldDropRequestsThatHaveNotBegunWhenTheSessionEnds() throws IOException, InterruptedException {
        final LocalFile file = serve(LIMITS, new byte[10]);
        final List<Busy> busy = occupyWorkers();
        link.write(file, 0, new byte[] {1});
        link.write(file, 0, new byte[] {2});
        link.endSession();
        busy.forEach(task -> task.released.countDown());
        link.close();
        assertEquals(1, Files.readAllBytes(path)[0]);
    }

    private void run(final Random random, final Path each) throws IOException {
        final int size = 1 + random.nextInt(2 << 20);
        byte[] model = TestFiles.randomBytes(random, size);
        Files.write(each, model);
        final LocalFile file = link.open(each, Constants.O_RDWR);
        final List<Long> cookies = new ArrayList<>();
        final List<Object> expected = new ArrayList<>();
        for (int i = 0; i < 100; i++) {
            final int offset = random.nextInt(size + 1000);
            final int length = 1 + random.nextInt(random.nextInt(3) == 0 ? 1 << 20 : 5000);
            switch (random.nextInt(10)) {
                case 0 -> {
                    final int newSize = random.nextInt(size + 1000);
                    model = Arrays.copyOf(model, newSize);
                    cookies.add(link.truncate(file, newSize));
                    expected.add(0);
                }
                case 1 -> {
                    cookies.add(link.examine(file));
                    expected.add((long) model.length);
                }
                case 2, 3, 4 -> {
                    final byte[] bytes = TestFiles.randomBytes(random, length);
                    model = Arrays.copyOf(model, Math.max(model.length, offset + length));
                    System.arraycopy(bytes, 0, model, offset, length);
                    cookies.add(link.write(file, offset, bytes));
                    expected.add(-length);
                }
                default -> {
                    cookies.add(link.read(file, offset, length));
                    expected.add(offset >= model.length ? new byte[0]
                        : Arrays.copyOfRange(model, offset, Math.min(model.length, offset + length)));
                }
            }
            if (random.nextInt(4) == 0) {
                link.turn(1);
            }
            if (random.nextInt(4) == 0) {
                link.receive(random.nextInt(300_000));
            }
        }
        for (int i = 0; i < cookies.size(); i++) {
            check(i, cookies.get(i), expected.get(i));
        }
        assertArrayEquals(model, Files.readAllBytes(each));
        link.release(file);
    }

    private void check(final int i, final long cookie, final Object expected) {
        if (expected instanceof byte[] bytes) {
            assertArrayEquals(bytes, link.bytes(cookie), () -> "request " + i);
        } else if (expected instanceof Long size) {
            assertEquals(size, link.answer(cookie).getFstatResponse().getSize(), () -> "request " + i);
        } else if (expected.equals(0)) {
            assertEquals(0, link.answer(cookie).getFtruncateResponse().getErrorCode(), () -> "request " + i);
        } else {
            assertEquals(-(Integer) expected, link.answer(cookie).getPwriteResponse().getBytesWritten());
        }
    }

    /** Serves a file with this content, whose kind a worker has found out already. */
    private LocalFile serve(final FileLimits limits, final byte[] content) throws IOException {
        Files.write(path, content);
        link = serve(limits);
        final LocalFile file = link.open(path, Constants.O_RDWR);
        learn(file);
        return file;
    }

    private static ServedLink serve(final FileLimits limits) {
        return new ServedLink(
            limits, THREADS, FileWindows.DEFAULT_MAX_MAPPED_LENGTH, FileWindows.DEFAULT_WINDOW_LENGTH);
    }

    /** Has a worker find out what kind of file it is. */
    private void learn(final LocalFile file) {
        link.sizeNow(file);
        assertTrue(file.kind().hasLocalAttributes(), "the file system of the test's directory: " + file.kind());
    }

    private List<Busy> occupyWorkers() throws InterruptedException {
        final List<Busy> busy = new ArrayList<>();
        for (int i = 0; i < THREADS; i++) {
            final Busy task = new Busy();
            busy.add(task);
            link.workers.submit(task);
        }
        for (final Busy task : busy) {
            assertTrue(task.begun.await(20, TimeUnit.SECONDS));
        }
        return busy;
    }
}
