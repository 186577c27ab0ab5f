/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.fuse;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.sun.jna.NativeLong;
import io.vsockproxy.posix.Constants;
import io.vsockproxy.posix.Descriptors;
import io.vsockproxy.posix.Errno;
import io.vsockproxy.posix.OwnedFd;
import io.vsockproxy.posix.Paths;
import io.vsockproxy.posix.Syscalls;
import io.vsockproxy.testing.ChildJvm;
import io.vsockproxy.testing.FileCalls;
import java.io.UncheckedIOException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Names, interrupts and ends: of a file, of a reader, of the mount, of the process that served it. */
@Timeout(value = 60, unit = TimeUnit.SECONDS, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class FuseLifecycleTest {
    private static final byte[] CONTENT = "twelve bytes".getBytes(StandardCharsets.US_ASCII);
    private static final int READERS = 8;

    @TempDir
    private Path parent;

    private final ExecutorService readers = Executors.newFixedThreadPool(READERS);
    private final MemoryBackend backend = new MemoryBackend(CONTENT);
    private final Client client = new Client();
    private Path directory;
    private int descriptorsBefore;
    private Fixture fixture;

    @BeforeEach
    void mount() throws Exception {
        Fixture.assumeMountable();
        directory = parent.toRealPath().resolve("with space/files");
        FileCalls.load();
        descriptorsBefore = Descriptors.count();
        fixture = new Fixture(directory);
    }

    @AfterEach
    void unmount() throws Exception {
        readers.shutdown();
        if (fixture != null) {
            fixture.end();
            assertNull(MountTable.find(directory));
            assertTrue(readers.awaitTermination(Fixture.TIMEOUT_SECONDS, TimeUnit.SECONDS), "a reader hangs");
            Descriptors.assertCount(descriptorsBefore);
            assertTrue(backend.releases.get() <= 1, "released more than once");
        }
        client.close();
        backend.free();
    }

    @Test
    void shouldCreateTheDirectoryForItsOwnerOnly() throws Exception {
        fixture.end();
        assertEquals("rwx------", PosixFilePermissions.toString(Files.getPosixFilePermissions(directory)));
    }

    @Test
    void shouldMountWithoutSetUserIdsDevicesAndPrograms() throws Exception {
        final String mount = Files.readAllLines(Path.of("/proc/self/mountinfo")).stream()
            .filter(line -> line.contains(directory.toString().replace(" ", "\\040"))).findFirst().orElseThrow();
        assertTrue(mount.contains("nosuid,nodev,noexec"), mount);
        assertTrue(mount.contains(" fuse.vsock-proxy vsock-proxy "), mount);
        assertFalse(mount.contains("allow_other"), mount);
    }

    @Test
    void shouldShowNothingInTheDirectory() throws Exception {
        try (OwnedFd file = fixture.open(backend, Constants.O_RDWR);
            DirectoryStream<Path> entries = Files.newDirectoryStream(directory)) {
            assertTrue(file.isOpen());
            assertFalse(entries.iterator().hasNext());
        }
        final int flags = Constants.O_RDWR | Constants.O_CLOEXEC;
        assertEquals(-Errno.EPERM, Paths.open(directory + "/new", flags | Constants.O_CREAT));
        assertEquals(-Errno.ENOENT, Paths.open(directory + "/new", flags));
        assertEquals(-Errno.ENOENT, Paths.open(directory + "/" + new FuseName(0, 0), flags));
        assertEquals(-Errno.ENOENT, Paths.open(directory + "/" + "x".repeat(255), flags));
    }

    @Test
    void shouldForgetANameOnceItIsOpen() throws Exception {
        try (OwnedFd file = fixture.open(backend, Constants.O_RDONLY)) {
            final String link = Files.readSymbolicLink(Path.of("/proc/self/fd/" + file.fd())).toString();
            final Path path = Path.of(link.replace(" (deleted)", ""));
            assertEquals(directory, path.getParent());
            assertEquals(FuseName.LENGTH, path.getFileName().toString().length());
            assertEquals(-Errno.ENOENT, Paths.open(path.toString(), Constants.O_RDONLY | Constants.O_CLOEXEC));
            assertArrayEquals(CONTENT, client.bytes(file.fd(), 0, 100));
        }
    }

    @Test
    void shouldGiveEachFileANameOfItsOwn() throws Exception {
        try (OwnedFd first = fixture.open(backend, Constants.O_RDONLY)) {
            final MemoryBackend other = new MemoryBackend(new byte[] {42});
            try (OwnedFd second = fixture.open(other, Constants.O_RDONLY)) {
                assertArrayEquals(CONTENT, client.bytes(first.fd(), 0, 100));
                assertArrayEquals(new byte[] {42}, client.bytes(second.fd(), 0, 100));
                assertSame(backend, fixture.onLoop(() -> fixture.mount.backendOf(first.fd())));
                assertSame(other, fixture.onLoop(() -> fixture.mount.backendOf(second.fd())));
                assertNull(fixture.onLoop(() -> fixture.mount.backendOf(0)));
            }
            assertTrue(other.released.await(Fixture.TIMEOUT_SECONDS, TimeUnit.SECONDS));
            other.free();
        }
    }

    @Test
    void shouldReleaseAfterTheLastCloseAndKeepNothing() throws Exception {
        for (int i = 0; i < 100; i++) {
            final MemoryBackend one = new MemoryBackend(CONTENT);
            final OwnedFd file = fixture.open(one, Constants.O_RDONLY);
            final OwnedFd duplicate = file.duplicate();
            fixture.run(() -> fixture.mount.dispose(file));
            assertArrayEquals(CONTENT, client.bytes(duplicate.fd(), 0, 100));
            assertEquals(0, one.releases.get());
            duplicate.close();
            assertTrue(one.released.await(Fixture.TIMEOUT_SECONDS, TimeUnit.SECONDS));
            assertEquals(1, one.releases.get());
            one.free();
        }
        // The kernel sends FORGET with a delay, but it does.
        fixture.await(() -> fixture.mount.fileCount() == 0);
    }

    @Test
    void shouldReleaseWhenNoDescriptorIsLeft() throws Exception {
        try (OwnedFd keepsItAlive = fixture.open(new MemoryBackend(CONTENT), Constants.O_RDONLY)) {
            // There is another directory in its place now, which represents every failure before the file is looked up.
            LibC.INSTANCE.umount2(directory.toString(), Constants.MNT_DETACH);
            final ExecutionException failure = assertThrows(ExecutionException.class,
                () -> fixture.startOpen(backend, Constants.O_RDONLY).get(Fixture.TIMEOUT_SECONDS, TimeUnit.SECONDS));
            assertEquals(Errno.ENOENT, assertInstanceOf(Fixture.OpenFailure.class, failure.getCause()).errno);
            fixture.await(() -> fixture.mount.fileCount() == 1);
            assertEquals(1, backend.releases.get());
            assertTrue(keepsItAlive.isOpen());
        }
    }

    @Test
    void shouldTellTheBackendOfAnInterruptAndDropItsLateAnswer() throws Exception {
        backend.holdsReads = true;
        try (OwnedFd file = fixture.open(backend, Constants.O_RDONLY)) {
            final Process reader = startReader(file.fd());
            fixture.await(() -> backend.held.size() == 1);
            reader.destroy();
            assertTrue(reader.waitFor(Fixture.TIMEOUT_SECONDS, TimeUnit.SECONDS), "the reader hangs");
            fixture.await(() -> backend.interrupts.get() == 1);
            fixture.run(() -> {
                final FuseRequest late = backend.held.remove(0).request();
                assertTrue(late.isAbandoned());
                late.replyData(backend.memory.address(), CONTENT.length);
                backend.holdsReads = false;
            });
            assertEquals(0, fixture.onLoop(fixture.mount::requestCount));
            assertArrayEquals(CONTENT, client.bytes(file.fd(), 0, 100));
        }
    }

    @Test
    void shouldLetTheBackendAnswerFromTheInterrupt() throws Exception {
        backend.holdsReads = true;
        backend.interruptErrno = Errno.EINTR;
        try (OwnedFd file = fixture.open(backend, Constants.O_RDONLY)) {
            final Process reader = startReader(file.fd());
            fixture.await(() -> backend.held.size() == 1);
            reader.destroyForcibly();
            assertTrue(reader.waitFor(Fixture.TIMEOUT_SECONDS, TimeUnit.SECONDS), "the reader hangs");
            fixture.await(() -> backend.interrupts.get() == 1 && fixture.mount.requestCount() == 0);
        }
    }

    @Test
    void shouldAnswerAReaderThatWasStoppedAndContinuedAsUsual() throws Exception {
        backend.holdsReads = true;
        try (OwnedFd file = fixture.open(backend, Constants.O_RDONLY)) {
            final Process reader = startReader(file.fd());
            fixture.await(() -> backend.held.size() == 1);
            stopAndContinue(reader);
            fixture.run(() -> {
                final FuseRequest request = backend.held.remove(0).request();
                assertFalse(request.isAbandoned());
                request.replyData(backend.memory.address(), request.length());
                backend.holdsReads = false;
            });
            assertTrue(reader.waitFor(Fixture.TIMEOUT_SECONDS, TimeUnit.SECONDS), "the reader hangs");
            assertEquals(0, reader.exitValue());
            assertEquals(0, backend.interrupts.get());
        }
    }

    @Test
    void shouldLetAReaderEndThatIsKilledAfterASignalThatItSurvived() throws Exception {
        backend.holdsReads = true;
        try (OwnedFd file = fixture.open(backend, Constants.O_RDONLY)) {
            final Process reader = startReader(file.fd());
            fixture.await(() -> backend.held.size() == 1);
            stopAndContinue(reader);
            assertEquals(0, backend.interrupts.get());
            reader.destroyForcibly();
            assertTrue(reader.waitFor(Fixture.TIMEOUT_SECONDS, TimeUnit.SECONDS), "the reader hangs");
            fixture.run(() -> {
                assertEquals(1, backend.interrupts.get());
                backend.held.remove(0).request().replyError(Errno.EIO);
            });
        }
    }

    @Test
    void shouldLeaveAnInterruptedWriteToTheBackend() throws Exception {
        backend.holdsWrites = true;
        try (OwnedFd file = fixture.open(backend, Constants.O_RDWR)) {
            final Process writer = new ProcessBuilder(
                "sh", "-c", "printf interrupted >> " + pathOf(file.fd()) + "; kill -9 $$").start();
            fixture.await(() -> backend.held.size() == 1);
            writer.destroy();
            fixture.await(() -> backend.interrupts.get() == 1);
            // EINTR would say that nothing was written, and the writer would write again.
            assertTrue(writer.isAlive());
            fixture.run(() -> {
                final MemoryBackend.Held one = backend.held.remove(0);
                assertFalse(one.request().isAbandoned());
                one.request().replyWritten(one.length());
            });
            assertTrue(writer.waitFor(Fixture.TIMEOUT_SECONDS, TimeUnit.SECONDS), "the writer hangs");
        }
    }

    @Test
    void shouldFailWhatIsInFlightWhenTheMountEnds() throws Exception {
        backend.holdsReads = true;
        final List<Future<Long>> results = new ArrayList<>();
        try (OwnedFd file = fixture.open(backend, Constants.O_RDWR)) {
            for (int i = 0; i < READERS; i++) {
                results.add(readers.submit(() -> {
                    try (Client mine = new Client()) {
                        return mine.pread(file.fd(), 0, 100);
                    }
                }));
            }
            fixture.await(() -> backend.held.size() == READERS);
            fixture.run(() -> {
                fixture.mount.close();
                fixture.mount.close();
                assertEquals(1, backend.releases.get());
                assertFalse(fixture.mount.isServed());
                // Late answers have no effect.
                for (final MemoryBackend.Held one : backend.held) {
                    one.request().replyData(backend.memory.address(), CONTENT.length);
                }
                assertEquals(0, fixture.mount.requestCount());
            });
            for (final Future<Long> result : results) {
                assertEquals(-Errno.EIO, result.get(Fixture.TIMEOUT_SECONDS, TimeUnit.SECONDS));
            }
            assertEquals(-Errno.ENOTCONN, client.pread(file.fd(), 0, 1));
            assertEquals(-Errno.ENOTCONN, client.pwrite(file.fd(), new byte[1], 0));
            assertEquals(-Errno.ENOTCONN, client.stat(file.fd()));
            assertFailsToOpen(Errno.EIO);
            try (DirectoryStream<Path> entries = Files.newDirectoryStream(directory)) {
                assertFalse(entries.iterator().hasNext());
            }
        }
        assertEquals(1, backend.releases.get());
    }

    @Test
    void shouldEndFromInsideARequest() throws Exception {
        final MemoryBackend closing = new MemoryBackend(CONTENT) {
            @Override
            public void read(final FuseRequest request, final long offset, final int length) {
                fixture.mount.close();
                request.replyData(memory.address(), 1);
            }
        };
        try (OwnedFd file = fixture.open(closing, Constants.O_RDONLY)) {
            assertEquals(-Errno.EIO, client.pread(file.fd(), 0, 1));
            assertTrue(closing.released.await(Fixture.TIMEOUT_SECONDS, TimeUnit.SECONDS));
        }
        closing.free();
    }

    @Test
    void shouldFailAPendingOpenWhenTheMountEnds() throws Exception {
        final CompletableFuture<OwnedFd> open = new CompletableFuture<>();
        fixture.run(() -> {
            // Nothing answers the LOOKUP in between.
            fixture.mount.open(backend, Constants.O_RDONLY, new OpenCompletion() {
                @Override
                public void onOpened(final OwnedFd descriptor) {
                    open.complete(descriptor);
                }

                @Override
                public void onFailed(final int errno) {
                    open.completeExceptionally(new Fixture.OpenFailure(errno));
                }
            });
            fixture.mount.close();
        });
        assertTrue(open.isCompletedExceptionally());
        assertEquals(1, backend.releases.get());
        fixture.end();
        assertEquals(1, backend.releases.get());
    }

    @Test
    void shouldFailAnOpenThatWaitsForTheBackendWhenTheMountEnds() throws Exception {
        final MemoryBackend silent = new MemoryBackend(CONTENT) {
            @Override
            public void getattr(final FuseRequest request) {
                getattrs.incrementAndGet();
            }
        };
        final CompletableFuture<OwnedFd> open = fixture.startOpen(silent, Constants.O_RDONLY);
        fixture.await(() -> silent.getattrs.get() == 1);
        fixture.run(fixture.mount::close);
        assertTrue(open.isCompletedExceptionally());
        assertEquals(1, silent.releases.get());
        fixture.end();
        silent.free();
    }

    @Test
    void shouldEndWhenSomebodyElseUnmountsIt() throws Exception {
        try (OwnedFd file = fixture.open(backend, Constants.O_RDONLY)) {
            LibC.INSTANCE.umount2(directory.toString(), Constants.MNT_FORCE | Constants.MNT_DETACH);
            fixture.await(() -> !fixture.mount.isServed());
            assertEquals(1, backend.releases.get());
            assertEquals(-Errno.ENOTCONN, client.pread(file.fd(), 0, 1));
            assertFailsToOpen(Errno.EIO);
        }
    }

    @Test
    void shouldGoOnAfterRequestsCouldNotBeReadForAMoment() throws Exception {
        try (OwnedFd file = fixture.open(backend, Constants.O_RDONLY);
            UnreadableDevice device = fixture.onLoop(() -> new UnreadableDevice(fixture.loop))) {
            final Future<Long> result = readers.submit(() -> {
                try (Client mine = new Client()) {
                    return mine.pread(file.fd(), 0, 100);
                }
            });
            // Long enough for several attempts, and too short for the mount to give up.
            TimeUnit.MILLISECONDS.sleep(500);
            fixture.run(device::restore);
            assertEquals(CONTENT.length, result.get(Fixture.TIMEOUT_SECONDS, TimeUnit.SECONDS));
            assertTrue(fixture.onLoop(fixture.mount::isServed));
        }
    }

    @Test
    void shouldEndWhenRequestsCannotBeReadForLong() throws Exception {
        final Future<Long> result;
        try (OwnedFd file = fixture.open(backend, Constants.O_RDONLY)) {
            try (UnreadableDevice device = fixture.onLoop(() -> new UnreadableDevice(fixture.loop))) {
                final long startNs = System.nanoTime();
                result = readers.submit(() -> {
                    try (Client mine = new Client()) {
                        return mine.pread(file.fd(), 0, 100);
                    }
                });
                fixture.await(() -> !fixture.mount.isServed());
                assertTrue(System.nanoTime() - startNs > TimeUnit.SECONDS.toNanos(4), device::toString);
                assertEquals(1, backend.releases.get());
            }
            assertTrue(result.get(Fixture.TIMEOUT_SECONDS, TimeUnit.SECONDS) < 0);
        }
    }

    @Test
    void shouldRefuseADirectoryWhereAnotherMountIsAlive() throws Exception {
        final MountException refused = assertThrows(MountException.class, () -> new Fixture(directory));
        assertTrue(refused.getMessage().contains("is mounted there and in use"), refused.getMessage());
        try (OwnedFd file = fixture.open(backend, Constants.O_RDONLY)) {
            assertArrayEquals(CONTENT, client.bytes(file.fd(), 0, 100));
        }
    }

    @Test
    void shouldRefuseADirectoryThatIsNotEmpty() throws Exception {
        final Path full = Files.createDirectory(parent.resolve("full"));
        final Path file = Files.createFile(full.resolve("file"));
        final MountException refused = assertThrows(MountException.class, () -> new Fixture(full));
        assertTrue(refused.getMessage().contains(full + ": it is not empty"), refused.getMessage());
        assertTrue(Files.exists(file));
    }

    @Test
    void shouldRefuseTheDirectoryOfItsOwnLoopsMountWithoutWaitingForItself() throws Exception {
        final MountException refused = assertThrows(MountException.class, () -> fixture.onLoop(
            () -> FuseMount.mount(fixture.loop, fixture.workers, directory, false)));
        assertTrue(refused.getMessage().contains("is mounted there and in use"), refused.getMessage());
    }

    @Test
    void shouldClearAwayWhatAKilledProcessHasLeft() throws Exception {
        final Path left = parent.resolve("left");
        final ChildJvm server = ChildJvm.start(MountingProcess.class, left.toString());
        try {
            assertEquals("mounted", server.answer());
        } finally {
            server.kill();
        }
        assertEquals(-Errno.ENOTCONN, Paths.open(left.toString(), Constants.O_RDONLY | Constants.O_CLOEXEC));

        final Fixture next = new Fixture(left);
        try (OwnedFd file = next.open(backend, Constants.O_RDONLY)) {
            assertArrayEquals(CONTENT, client.bytes(file.fd(), 0, 100));
        } finally {
            next.end();
        }
        assertNull(MountTable.find(left));
    }

    @Test
    void shouldEndWhenKilledInTheMiddleOfAnOpenOfItsOwn() throws Exception {
        final Path left = parent.toRealPath().resolve("left");
        final ChildJvm server = ChildJvm.start(UnansweredLookupProcess.class, left.toString());
        try {
            assertEquals("looked up", server.answer());
        } finally {
            server.kill();
        }
        assertEquals(-Errno.ENOTCONN, Paths.open(left.toString(), Constants.O_RDONLY | Constants.O_CLOEXEC));
        LibC.INSTANCE.umount2(left.toString(), Constants.MNT_DETACH);
    }

    @Test
    void shouldNotTakeAwayWhatWasMountedOverIt() throws Exception {
        LibC.INSTANCE.mount("above", directory.toString(), "tmpfs", new NativeLong(0), "size=4k");
        try {
            fixture.run(fixture.mount::close);
            assertEquals("tmpfs", MountTable.find(directory).type());
        } finally {
            LibC.INSTANCE.umount2(directory.toString(), 0);
            // The proxy's own mount was hidden by the other one, and is dead now.
            LibC.INSTANCE.umount2(directory.toString(), Constants.MNT_DETACH);
        }
    }

    private void assertFailsToOpen(final int errno) throws Exception {
        final MemoryBackend other = new MemoryBackend(CONTENT);
        final CompletableFuture<OwnedFd> open = fixture.startOpen(other, Constants.O_RDONLY);
        final ExecutionException failure = assertThrows(
            ExecutionException.class, () -> open.get(Fixture.TIMEOUT_SECONDS, TimeUnit.SECONDS));
        assertEquals(errno, assertInstanceOf(Fixture.OpenFailure.class, failure.getCause()).errno);
        assertEquals(1, other.releases.get());
        other.free();
    }

    private static Process startReader(final int fd) throws Exception {
        return new ProcessBuilder("head", "-c", "100", pathOf(fd))
            .redirectOutput(ProcessBuilder.Redirect.DISCARD).start();
    }

    private void stopAndContinue(final Process process) throws Exception {
        signal(process, "STOP");
        // The application has been woken and has reported that: it waits only for a deadly signal, or has ended its
        // read and stopped.
        fixture.await(() -> stateOf(process) != 'S');
        signal(process, "CONT");
        // The loop handles what the kernel has sent before it runs the task.
        fixture.run(() -> { });
        fixture.run(() -> { });
    }

    private static void signal(final Process process, final String name) throws Exception {
        assertEquals(0, new ProcessBuilder("kill", "-" + name, Long.toString(process.pid())).start().waitFor());
    }

    private static char stateOf(final Process process) {
        try {
            final String stat = Files.readString(Path.of("/proc/" + process.pid() + "/stat"));
            return stat.charAt(stat.lastIndexOf(')') + 2);
        } catch (final IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static String pathOf(final int fd) {
        assertTrue(Syscalls.fcntl(fd, Constants.F_GETFD, 0) >= 0);
        return "/proc/" + ProcessHandle.current().pid() + "/fd/" + fd;
    }
}
