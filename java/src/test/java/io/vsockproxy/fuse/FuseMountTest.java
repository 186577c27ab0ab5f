/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.fuse;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.sun.jna.LastErrorException;
import io.vsockproxy.posix.Constants;
import io.vsockproxy.posix.Descriptors;
import io.vsockproxy.posix.Errno;
import io.vsockproxy.posix.OwnedFd;
import io.vsockproxy.posix.Paths;
import io.vsockproxy.posix.Syscalls;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** What an application sees of a file, through the kernel. */
@Timeout(value = 60, unit = TimeUnit.SECONDS, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class FuseMountTest {
    private static final int LENGTH = 3 * FuseMount.MAX_DATA_LENGTH + 12345;
    private static final int READERS = 32;

    @TempDir
    private Path directory;

    private final long seed = new Random().nextLong();
    private final Random random = new Random(seed);
    private final byte[] content = new byte[LENGTH];
    private int descriptorsBefore;
    private Fixture fixture;
    private MemoryBackend backend;
    private Client client;

    @BeforeEach
    void mount() throws Exception {
        Fixture.assumeMountable();
        System.out.println("seed " + seed);
        random.nextBytes(content);
        descriptorsBefore = Descriptors.count();
        fixture = new Fixture(directory.resolve("files"));
        backend = new MemoryBackend(content);
        client = new Client();
    }

    @AfterEach
    void unmount() throws Exception {
        if (fixture != null) {
            fixture.end();
            assertEquals(1, backend.releases.get(), "released");
            backend.free();
            client.close();
            Descriptors.assertCount(descriptorsBefore);
        }
    }

    @Test
    void shouldReadWhatTheBackendHasAtAnyOffset() throws Exception {
        try (OwnedFd file = fixture.open(backend, Constants.O_RDONLY)) {
            assertArrayEquals(content, client.bytes(file.fd(), 0, LENGTH + 4096));
            for (int i = 0; i < 200; i++) {
                final int offset = random.nextInt(LENGTH + 100);
                final int length = random.nextInt(random.nextBoolean() ? 8192 : 2 * FuseMount.MAX_DATA_LENGTH);
                final int end = Math.min(LENGTH, offset + length);
                final byte[] expected = offset >= end ? new byte[0] : Arrays.copyOfRange(content, offset, end);
                assertArrayEquals(expected, client.bytes(file.fd(), offset, length), "offset " + offset);
            }
            assertEquals(0, client.pread(file.fd(), LENGTH, 1));
            assertEquals(0, client.pread(file.fd(), Long.MAX_VALUE - 4096, 1));
        }
    }

    @Test
    void shouldReadAMebibyteInOneRequest() throws Exception {
        try (OwnedFd file = fixture.open(backend, Constants.O_RDONLY)) {
            final int before = backend.reads.get();
            assertEquals(FuseMount.MAX_DATA_LENGTH, client.pread(file.fd(), 0, FuseMount.MAX_DATA_LENGTH));
            assertEquals(1, backend.reads.get() - before);
        }
    }

    @Test
    void shouldSeekFromAllThreePlaces() throws Exception {
        try (OwnedFd file = fixture.open(backend, Constants.O_RDONLY)) {
            assertEquals(100, Client.lseek(file.fd(), 100, Client.SEEK_SET));
            assertArrayEquals(Arrays.copyOfRange(content, 100, 110), client.bytes(file.fd(), -1, 10));
            assertEquals(115, Client.lseek(file.fd(), 5, Client.SEEK_CUR));
            assertEquals(LENGTH - 7, Client.lseek(file.fd(), -7, Client.SEEK_END));
            assertEquals(7, client.bytes(file.fd(), -1, 10).length);

            // Not the size that the kernel has cached, but the current one.
            fixture.run(() -> backend.size = LENGTH + 10);
            assertEquals(LENGTH + 10, Client.lseek(file.fd(), 0, Client.SEEK_END));
        }
    }

    @Test
    void shouldTellTypeSizeAndAccessMode() throws Exception {
        try (OwnedFd file = fixture.open(backend, Constants.O_RDONLY)) {
            assertEquals(LENGTH, client.size(file.fd()));
            assertEquals(Constants.S_IFREG | 0400, client.mode(file.fd()));
            assertEquals(Constants.O_RDONLY,
                Syscalls.fcntl(file.fd(), Constants.F_GETFL, 0) & (Constants.O_ACCMODE | Constants.O_APPEND));
            assertEquals(1, Syscalls.fcntl(file.fd(), Constants.F_GETFD, 0), "close-on-exec");
            assertEquals(-Errno.EBADF, client.pwrite(file.fd(), new byte[1], 0));
        }
    }

    @Test
    void shouldRefuseToReadWhatIsWriteOnly() throws Exception {
        try (OwnedFd file = fixture.open(backend, Constants.O_WRONLY)) {
            assertEquals(Constants.S_IFREG | 0200, client.mode(file.fd()));
            assertEquals(-Errno.EBADF, client.pread(file.fd(), 0, 1));
            assertEquals(1, client.pwrite(file.fd(), new byte[] {42}, 0));
            fixture.await(() -> backend.memory.buffer().getByte(0) == 42);
        }
    }

    @Test
    void shouldAskForTheSizeEachTime() throws Exception {
        try (OwnedFd file = fixture.open(backend, Constants.O_RDONLY)) {
            final int before = backend.getattrs.get();
            for (int i = 1; i <= 10; i++) {
                final int size = LENGTH + i;
                fixture.run(() -> backend.size = size);
                assertEquals(size, client.size(file.fd()));
            }
            assertTrue(backend.getattrs.get() - before >= 10);
        }
    }

    @Test
    void shouldSeeGrowthAndOverwritingWithoutAnFstat() throws Exception {
        fixture.run(() -> backend.size = 0);
        try (OwnedFd file = fixture.open(backend, Constants.O_RDONLY)) {
            assertEquals(0, client.pread(file.fd(), 0, 100));
            fixture.run(() -> backend.size = 50);
            assertArrayEquals(Arrays.copyOf(content, 50), client.bytes(file.fd(), 0, 100));
            fixture.run(() -> backend.memory.buffer().putByte(3, (byte) ~content[3]));
            assertEquals(~content[3], client.bytes(file.fd(), 3, 1)[0]);
        }
    }

    @Test
    void shouldWriteWhereItIsTold() throws Exception {
        try (OwnedFd file = fixture.open(backend, Constants.O_RDWR)) {
            final byte[] big = new byte[2 * FuseMount.MAX_DATA_LENGTH + 17];
            random.nextBytes(big);
            assertEquals(big.length, client.pwrite(file.fd(), big, 1001));
            System.arraycopy(big, 0, content, 1001, big.length);
            assertArrayEquals(content, client.bytes(file.fd(), 0, LENGTH));
            for (int i = 0; i < 100; i++) {
                final byte[] bytes = new byte[1 + random.nextInt(9000)];
                random.nextBytes(bytes);
                final int offset = random.nextInt(LENGTH - bytes.length);
                assertEquals(bytes.length, client.pwrite(file.fd(), bytes, offset));
                System.arraycopy(bytes, 0, content, offset, bytes.length);
            }
            assertArrayEquals(content, client.bytes(file.fd(), 0, LENGTH));
            assertEquals(3, client.pwrite(file.fd(), new byte[3], LENGTH + 5));
            assertEquals(LENGTH + 8, client.size(file.fd()));
        }
    }

    @Test
    void shouldOfferARefusedWriteAgainUnchanged() throws Exception {
        backend.refusesWrites = true;
        try (OwnedFd file = fixture.open(backend, Constants.O_RDWR)) {
            final byte[] bytes = new byte[70_000];
            random.nextBytes(bytes);
            final ExecutorService one = Executors.newSingleThreadExecutor();
            try {
                final Future<Long> written = one.submit(() -> {
                    try (Client mine = new Client()) {
                        return mine.pwrite(file.fd(), bytes, 5);
                    }
                });
                fixture.await(() -> backend.refusedWrites.get() == 1);
                fixture.run(fixture.mount::resume);
                fixture.await(() -> backend.refusedWrites.get() == 2);
                assertEquals(0, backend.writes.get());
                // Meanwhile other requests are served.
                assertEquals(LENGTH, client.size(file.fd()));
                fixture.run(() -> {
                    backend.refusesWrites = false;
                    fixture.mount.resume();
                });
                assertEquals(bytes.length, written.get(Fixture.TIMEOUT_SECONDS, TimeUnit.SECONDS));
                assertArrayEquals(bytes, client.bytes(file.fd(), 5, bytes.length));
            } finally {
                one.shutdown();
            }
        }
    }

    @Test
    void shouldCutAndExtend() throws Exception {
        try (OwnedFd file = fixture.open(backend, Constants.O_RDWR)) {
            assertEquals(0, Syscalls.ftruncate(file.fd(), 1000));
            assertEquals(1000, client.size(file.fd()));
            assertEquals(1000, client.bytes(file.fd(), 0, 4096).length);
            assertEquals(0, Syscalls.ftruncate(file.fd(), 2000));
            assertArrayEquals(new byte[1000], client.bytes(file.fd(), 1000, 4096));
            assertEquals(-Errno.EFBIG, Syscalls.ftruncate(file.fd(), 1L << 40));
        }
    }

    @Test
    void shouldAppendWhateverTheKernelThinksTheSizeIs() throws Exception {
        backend.appends = true;
        try (OwnedFd file = fixture.open(backend, Constants.O_RDWR | Constants.O_APPEND)) {
            assertTrue((Syscalls.fcntl(file.fd(), Constants.F_GETFL, 0) & Constants.O_APPEND) != 0);
            fixture.run(() -> backend.size = 10);
            assertEquals(3, client.pwrite(file.fd(), "abc".getBytes(StandardCharsets.US_ASCII), -1));
            fixture.run(() -> backend.size = 20);
            assertEquals(3, client.pwrite(file.fd(), "def".getBytes(StandardCharsets.US_ASCII), 0));
            assertEquals("abc", new String(client.bytes(file.fd(), 10, 3), StandardCharsets.US_ASCII));
            assertEquals("def", new String(client.bytes(file.fd(), 20, 3), StandardCharsets.US_ASCII));
            assertEquals(23, client.size(file.fd()));
        }
    }

    @Test
    void shouldPassTheBackendsErrorsOn() throws Exception {
        try (OwnedFd file = fixture.open(backend, Constants.O_RDWR)) {
            fixture.run(() -> backend.errno = Errno.ENOSPC);
            assertEquals(-Errno.ENOSPC, client.pread(file.fd(), 0, 1));
            assertEquals(-Errno.ENOSPC, client.pwrite(file.fd(), new byte[1], 0));
            assertEquals(-Errno.ENOSPC, client.stat(file.fd()));
            // ENOSYS would end all reads of the mount if the kernel were told so.
            fixture.run(() -> backend.errno = Errno.ENOSYS);
            assertEquals(-Errno.EIO, client.pread(file.fd(), 0, 1));
            fixture.run(() -> backend.errno = 0);
            assertEquals(1, client.pread(file.fd(), 0, 1));
        }
    }

    @Test
    void shouldOpenAFileWhoseSizeCannotBeTold() throws Exception {
        backend.errno = Errno.EIO;
        try (OwnedFd file = fixture.open(backend, Constants.O_RDONLY)) {
            fixture.run(() -> backend.errno = 0);
            assertArrayEquals(content, client.bytes(file.fd(), 0, LENGTH));
        }
    }

    @Test
    void shouldSynchroniseAndIgnoreTimes() throws Exception {
        try (OwnedFd file = fixture.open(backend, Constants.O_RDWR)) {
            assertEquals(0, Client.C.INSTANCE.fsync(file.fd()));
            // The kernel does not skip the second request either.
            assertEquals(0, Client.C.INSTANCE.fsync(file.fd()));
            assertEquals(2, backend.fsyncs.get());
            fixture.run(() -> backend.errno = Errno.ENOSPC);
            assertEquals(Errno.ENOSPC, assertThrows(LastErrorException.class,
                () -> Client.C.INSTANCE.fsync(file.fd())).getErrorCode());
            fixture.run(() -> backend.errno = 0);
            final Path path = Path.of("/proc/self/fd/" + file.fd());
            Files.setLastModifiedTime(path, FileTime.fromMillis(1));
            assertEquals(0, Client.C.INSTANCE.access(path.toString(), 6));
            assertEquals(Errno.EACCES, assertThrows(LastErrorException.class,
                () -> Client.C.INSTANCE.access(path.toString(), 1)).getErrorCode());
        }
    }

    /** As who copies a file does, to preserve what is the same already. */
    @Test
    void shouldLetModeAndOwnerBeSetToWhatTheyAreAndToNothingElse() throws Exception {
        try (OwnedFd file = fixture.open(backend, Constants.O_RDWR)) {
            assertEquals(0, changeMode(file, 0600));
            assertEquals(Errno.EPERM, changeMode(file, 0777));
            // The current attributes, which the kernel has not been told of.
            fixture.run(() -> backend.mode = Constants.S_IFREG | 02640);
            assertEquals(Errno.EPERM, changeMode(file, 0600));
            assertEquals(0, changeMode(file, 02640));
            final int owner = LibC.INSTANCE.getuid();
            final int group = LibC.INSTANCE.getgid();
            assertEquals(0, changeOwner(file, owner, group));
            assertEquals(0, changeOwner(file, -1, group));
            assertEquals(0, changeOwner(file, owner, -1));
            assertEquals(Errno.EPERM, changeOwner(file, owner + 1, group));
            assertEquals(Errno.EPERM, changeOwner(file, owner, group + 1));
            fixture.run(() -> backend.errno = Errno.EIO);
            assertEquals(Errno.EIO, changeMode(file, 02640));
        }
    }

    private static int changeMode(final OwnedFd file, final int mode) {
        try {
            return Client.C.INSTANCE.fchmod(file.fd(), mode);
        } catch (final LastErrorException e) {
            return e.getErrorCode();
        }
    }

    private static int changeOwner(final OwnedFd file, final int owner, final int group) {
        try {
            return Client.C.INSTANCE.fchown(file.fd(), owner, group);
        } catch (final LastErrorException e) {
            return e.getErrorCode();
        }
    }

    @Test
    void shouldOpenAnewWithNoMoreAccessThanWasGranted() throws Exception {
        final OwnedFd second;
        try (OwnedFd file = fixture.open(backend, Constants.O_RDONLY)) {
            final String path = "/proc/self/fd/" + file.fd();
            assertEquals(-Errno.EACCES, Paths.open(path, Constants.O_RDWR | Constants.O_CLOEXEC));
            assertEquals(-Errno.EACCES, Paths.open(path, Constants.O_WRONLY | Constants.O_CLOEXEC));
            assertEquals(-Errno.EACCES,
                Paths.open(path, Constants.O_RDONLY | Constants.O_TRUNC | Constants.O_CLOEXEC));
            assertEquals(LENGTH, client.size(file.fd()));
            second = OwnedFd.of(Paths.open(path, Constants.O_RDONLY | Constants.O_CLOEXEC));
        }
        try (second) {
            assertArrayEquals(content, client.bytes(second.fd(), 0, LENGTH));
            assertEquals(0, backend.releases.get());
        }
        assertTrue(backend.released.await(Fixture.TIMEOUT_SECONDS, TimeUnit.SECONDS));
    }

    @Test
    void shouldServeManyReadersAtOnce() throws Exception {
        final ExecutorService readers = Executors.newFixedThreadPool(READERS);
        try (OwnedFd file = fixture.open(backend, Constants.O_RDONLY)) {
            final List<Callable<Void>> tasks = new ArrayList<>();
            for (int i = 0; i < READERS; i++) {
                final Random own = new Random(seed + i);
                tasks.add(() -> {
                    try (Client mine = new Client()) {
                        for (int j = 0; j < 50; j++) {
                            final int offset = own.nextInt(LENGTH);
                            final int end = Math.min(LENGTH, offset + own.nextInt(200_000));
                            assertArrayEquals(
                                Arrays.copyOfRange(content, offset, end), mine.bytes(file.fd(), offset, end - offset));
                        }
                    }
                    return null;
                });
            }
            for (final Future<Void> future : readers.invokeAll(tasks, 50, TimeUnit.SECONDS)) {
                future.get();
            }
        } finally {
            readers.shutdownNow();
        }
    }

    @Test
    void shouldTakeAnswersInAnyOrder() throws Exception {
        backend.holdsReads = true;
        final ExecutorService readers = Executors.newFixedThreadPool(READERS);
        try (OwnedFd file = fixture.open(backend, Constants.O_RDONLY)) {
            final List<Future<byte[]>> results = new ArrayList<>();
            for (int i = 0; i < READERS; i++) {
                final int offset = i * 1000;
                results.add(readers.submit(() -> {
                    try (Client mine = new Client()) {
                        return mine.bytes(file.fd(), offset, 1000);
                    }
                }));
            }
            fixture.await(() -> backend.held.size() == READERS);
            assertEquals(READERS, fixture.onLoop(() -> fixture.mount.requestCount()));
            fixture.run(() -> {
                Collections.shuffle(backend.held, random);
                for (final MemoryBackend.Held one : backend.held) {
                    backend.answerRead(one.request(), one.offset(), one.length());
                }
                backend.held.clear();
            });
            for (int i = 0; i < READERS; i++) {
                assertArrayEquals(Arrays.copyOfRange(content, i * 1000, i * 1000 + 1000),
                    results.get(i).get(Fixture.TIMEOUT_SECONDS, TimeUnit.SECONDS));
            }
            assertEquals(0, fixture.onLoop(() -> fixture.mount.requestCount()));
        } finally {
            readers.shutdownNow();
        }
    }
}
