/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.it;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.vsockproxy.Role;
import io.vsockproxy.posix.Constants;
import io.vsockproxy.posix.Errno;
import io.vsockproxy.posix.Memory;
import io.vsockproxy.posix.PosixException;
import io.vsockproxy.posix.Syscalls;
import io.vsockproxy.testing.Await;
import io.vsockproxy.testing.Background;
import io.vsockproxy.testing.Endpoint;
import io.vsockproxy.testing.FileCalls;
import io.vsockproxy.testing.MountedPair;
import io.vsockproxy.testing.Pattern;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * FIFOs that are open for reading and writing at once, over a link that carries no descriptors: what applications on
 * both sides see. See docs/decisions/0012-fifos-on-demand.md.
 */
@Timeout(value = 60, unit = TimeUnit.SECONDS)
class FifoTest {
    private static final int PIPE_LENGTH = 64 << 10;
    private static final int MAPPING_LENGTH = 4096;
    private static final int READERS = 16;
    private static final int WAITING_READERS = 40;
    private static final int PERMISSIONS = 0777;
    private static final String INTERRUPTED_READER = """
        import ctypes, errno, os, signal, sys
        libc = ctypes.CDLL(None, use_errno=True)
        libc.read.restype = ctypes.c_ssize_t
        fd = os.open(sys.argv[1], os.O_RDONLY)
        left = int(sys.argv[2])
        interrupts = 0
        signal.signal(signal.SIGALRM, lambda *ignored: None)
        signal.setitimer(signal.ITIMER_REAL, 0.003, 0.003)
        buffer = ctypes.create_string_buffer(7)
        while left > 0:
            count = libc.read(fd, buffer, 7)
            if count > 0:
                sys.stdout.buffer.write(buffer.raw[:count])
                left -= count
            elif count < 0 and ctypes.get_errno() == errno.EINTR:
                interrupts += 1
            else:
                sys.exit("read: %d, errno %d" % (count, ctypes.get_errno()))
        signal.setitimer(signal.ITIMER_REAL, 0)
        sys.stderr.write(str(interrupts))
        """;

    @RegisterExtension
    static final MountedPair PROXIES = MountedPair.withoutDescriptors();

    @ParameterizedTest
    @EnumSource
    void shouldCarryBytesBothWays(final Role from) throws Exception {
        final Endpoint fifo = PROXIES.fifo();
        final Endpoint standIn = PROXIES.pass(from, fifo);
        assertEquals(Constants.O_RDWR, standIn.statusFlags() & Constants.O_ACCMODE);
        assertEquals(4, write(standIn, "here"));
        assertEquals("here", fifo.readText(4));
        fifo.write("there");
        assertEquals("there", standIn.readText(5));
        // The writer may be the reader.
        standIn.write("and back");
        assertEquals("and back", standIn.readText(8));
    }

    @ParameterizedTest
    @EnumSource
    void shouldCarryAPipeThatWasOpenedAgainForBoth(final Role from) {
        final Endpoint[] pipe = PROXIES.closing(Endpoint.pipe());
        final Endpoint both = PROXIES.closing(Endpoint.of(FileCalls.reopen(pipe[0], Constants.O_RDWR), "open"));
        final Endpoint standIn = PROXIES.pass(from, both);
        write(standIn, "to the read end");
        assertEquals("to the read end", pipe[0].readText(15));
        pipe[1].write("from the write end");
        assertEquals("from the write end", standIn.readText(18));
    }

    @ParameterizedTest
    @EnumSource
    void shouldReadNothingFromTheFifoUntilTheReceiverReads(final Role from) throws Exception {
        final Endpoint fifo = PROXIES.fifo();
        final Endpoint[] ends = PROXIES.connect(from);
        final Endpoint standIn = PROXIES.pass(ends[0], ends[1], fifo);
        fifo.write("the owner's own");
        standIn.await(Constants.EPOLLIN, "what is there to show");
        // Anything that a proxy might do by itself would be done before this is.
        ends[0].send("x");
        ends[1].readText(1);
        assertEquals("the owner's own", fifo.readText(15));
        standIn.setNonBlocking();
        assertEquals(-Errno.EAGAIN, read(standIn, new byte[1]));
    }

    @ParameterizedTest
    @EnumSource
    void shouldHaveAReaderWaitForBytes(final Role from) throws Exception {
        final Endpoint fifo = PROXIES.fifo();
        final Endpoint standIn = PROXIES.pass(from, fifo);
        final byte[] bytes = new byte[100];
        final CompletableFuture<Integer> reader = Background.start(() -> read(standIn, bytes));
        pause();
        assertFalse(reader.isDone());
        fifo.write("awaited");
        assertEquals(7, Background.join(reader));
        assertEquals("awaited", new String(bytes, 0, 7, StandardCharsets.ISO_8859_1));
    }

    @ParameterizedTest
    @EnumSource
    void shouldGiveEachOfManyReadersBytesOfItsOwn(final Role from) throws Exception {
        final Endpoint fifo = PROXIES.fifo();
        final Endpoint standIn = PROXIES.pass(from, fifo);
        final byte[][] bytes = new byte[READERS][1];
        final List<CompletableFuture<Integer>> readers = new ArrayList<>();
        for (final byte[] one : bytes) {
            readers.add(Background.start(() -> read(standIn, one)));
        }
        for (int i = 1; i <= READERS; i++) {
            fifo.write(new byte[] {(byte) i});
        }
        for (final CompletableFuture<Integer> reader : readers) {
            assertEquals(1, Background.join(reader));
        }
        assertArrayEquals(
            IntStream.rangeClosed(1, READERS).toArray(),
            IntStream.range(0, READERS).map(i -> bytes[i][0]).sorted().toArray());
    }

    @ParameterizedTest
    @EnumSource
    void shouldHeedWhetherTheStandInIsNonBlockingAtTheTime(final Role from) throws Exception {
        final Endpoint fifo = PROXIES.fifo();
        final Endpoint standIn = PROXIES.pass(from, fifo);
        assertFalse(standIn.isNonBlocking());
        standIn.setNonBlocking();
        assertEquals(-Errno.EAGAIN, read(standIn, new byte[10]));
        assertFalse(fifo.isNonBlocking(), "the application's own");
        setBlocking(standIn);
        final CompletableFuture<Integer> reader = Background.start(() -> read(standIn, new byte[10]));
        pause();
        assertFalse(reader.isDone());
        fifo.write("x");
        assertEquals(1, Background.join(reader));

        fifo.setNonBlocking();
        assertTrue(PROXIES.pass(from, fifo).isNonBlocking());
    }

    @ParameterizedTest
    @EnumSource
    void shouldShowWhatCanBeDone(final Role from) throws Exception {
        final Endpoint fifo = PROXIES.fifo();
        final Endpoint standIn = PROXIES.pass(from, fifo);
        assertFalse(standIn.isReadable());
        assertTrue(standIn.isWritable());
        for (int i = 0; i < 3; i++) {
            final CompletableFuture<Integer> waiting =
                Background.start(() -> standIn.poll(Constants.EPOLLIN, (int) Await.TIMEOUT_MS));
            pause();
            assertFalse(waiting.isDone());
            fifo.write("x");
            assertEquals(Constants.EPOLLIN, Background.join(waiting));
            assertTrue(standIn.isReadable());
            assertEquals("x", fifo.readText(1));
            assertFalse(standIn.isReadable());
        }
        final int length = fill(fifo);
        assertFalse(standIn.isWritable());
        final CompletableFuture<Integer> waiting =
            Background.start(() -> standIn.poll(Constants.EPOLLOUT, (int) Await.TIMEOUT_MS));
        pause();
        assertFalse(waiting.isDone());
        fifo.readFully(length);
        assertEquals(Constants.EPOLLOUT, Background.join(waiting));
    }

    @ParameterizedTest
    @EnumSource
    void shouldTellOfEachChangeWhoWaitsForChangesOnly(final Role from) throws Exception {
        final Endpoint fifo = PROXIES.fifo();
        final Endpoint standIn = PROXIES.pass(from, fifo);
        standIn.setNonBlocking();
        fifo.write("x");
        final Endpoint epoll =
            PROXIES.closing(Endpoint.of(Syscalls.epollCreate1(Constants.EPOLL_CLOEXEC), "epoll_create1"));
        PosixException.check(Syscalls.epollCtl(
            epoll.fd(), Constants.EPOLL_CTL_ADD, standIn.fd(), Constants.EPOLLIN | Constants.EPOLLET, 0), "epoll_ctl");
        for (int i = 0; i < 10; i++) {
            awaitEvent(epoll);
            final byte[] bytes = new byte[10];
            assertEquals(1, read(standIn, bytes));
            assertEquals(-Errno.EAGAIN, read(standIn, bytes));
            fifo.write("x");
        }
        awaitEvent(epoll);
        // While the bytes stay unread there may be one notification too many, but not an endless number.
        Await.until(() -> !hasEvent(epoll), () -> "an end of events");
        pause();
        assertFalse(hasEvent(epoll));
    }

    @ParameterizedTest
    @EnumSource
    void shouldHaveAWriterWaitForRoom(final Role from) throws Exception {
        final Endpoint fifo = PROXIES.fifo();
        final Endpoint standIn = PROXIES.pass(from, fifo);
        final byte[] much = Pattern.bytes(9, 5 * PIPE_LENGTH);
        final CompletableFuture<Integer> writer =
            Background.start(() -> FileCalls.write(standIn, FileCalls.CURRENT_POSITION, much));
        pause();
        assertFalse(writer.isDone());
        assertArrayEquals(much, fifo.readFully(much.length));
        assertEquals(much.length, Background.join(writer));

        standIn.setNonBlocking();
        final int length = fill(fifo);
        assertEquals(-Errno.EAGAIN, write(standIn, "x"));
        fifo.readFully(length);
        final int written = FileCalls.write(standIn, FileCalls.CURRENT_POSITION, much);
        assertEquals(PIPE_LENGTH, written, "as much as there is room for");
        fifo.readFully(PIPE_LENGTH);
    }

    @ParameterizedTest
    @EnumSource
    void shouldReadMoreThanOneRequestCanWithoutWaitingForTheRest(final Role from) throws Exception {
        final Endpoint fifo = PROXIES.fifo();
        final int length = 1 << 20;
        if (Syscalls.fcntl(fifo.fd(), Constants.F_SETPIPE_SZ, length) < length) {
            assumeTrue(false, "no larger pipes here");
        }
        final Endpoint standIn = PROXIES.pass(from, fifo);
        final byte[] much = Pattern.bytes(3, length);
        assertEquals(length, FileCalls.write(fifo, FileCalls.CURRENT_POSITION, much));
        final ByteArrayOutputStream all = new ByteArrayOutputStream();
        while (all.size() < length) {
            final byte[] piece = new byte[length];
            all.write(piece, 0, PosixException.check(read(standIn, piece), "read"));
        }
        assertArrayEquals(much, all.toByteArray());
    }

    /** What comes as a signal does is not lost: the read has it, or a later one. */
    @ParameterizedTest
    @EnumSource
    void shouldLoseNoByteToSignals(final Role from) throws Exception {
        final Endpoint fifo = PROXIES.fifo();
        final Endpoint standIn = PROXIES.pass(from, fifo);
        final byte[] bytes = Pattern.bytes(4, 3000);
        final Process reader = python(
            INTERRUPTED_READER, "/proc/" + ProcessHandle.current().pid() + "/fd/" + standIn.fd(), "" + bytes.length);
        for (int i = 0; i < bytes.length; i += 5) {
            fifo.write(Arrays.copyOfRange(bytes, i, i + 5));
            LockSupport.parkNanos(1_000_000 + i % 7 * 500_000L);
        }
        assertArrayEquals(bytes, reader.getInputStream().readAllBytes());
        final String said = new String(reader.getErrorStream().readAllBytes(), StandardCharsets.UTF_8);
        assertEquals(0, reader.waitFor(), said);
        assertTrue(Integer.parseInt(said) > 0, "no read was interrupted");
    }

    @ParameterizedTest
    @EnumSource
    void shouldLeaveToOthersWhatAKilledReaderWaitedFor(final Role from) throws Exception {
        final Endpoint fifo = PROXIES.fifo();
        final Endpoint standIn = PROXIES.pass(from, fifo);
        final Process reader = new ProcessBuilder(
            "sh", "-c", "echo; exec cat < /proc/" + ProcessHandle.current().pid() + "/fd/" + standIn.fd())
            .start();
        assertEquals('\n', reader.getInputStream().read());
        pause();
        reader.destroyForcibly().waitFor();
        fifo.write("left");
        assertEquals("left", standIn.readText(4));
    }

    @ParameterizedTest
    @EnumSource
    void shouldGiveBackTheSameFifo(final Role from) throws Exception {
        final Endpoint fifo = PROXIES.fifo();
        final Endpoint[] ends = PROXIES.connect(from);
        final Endpoint standIn = PROXIES.pass(ends[0], ends[1], fifo);
        final Endpoint back = PROXIES.pass(ends[1], ends[0], standIn);
        assertEquals(Constants.S_IFIFO, FileCalls.mode(back) & Constants.S_IFMT);
        assertEquals(
            Files.readSymbolicLink(Path.of("/proc/self/fd/" + fifo.fd())),
            Files.readSymbolicLink(Path.of("/proc/self/fd/" + back.fd())));
        // The same open file description, not another.
        back.setNonBlocking();
        assertTrue(fifo.isNonBlocking());
        // And again, from the stand-in that is still there.
        write(PROXIES.pass(ends[1], ends[0], standIn), "x");
        assertEquals("x", standIn.readText(1));
    }

    @ParameterizedTest
    @EnumSource
    void shouldShowItsOwnersAttributesButForTheType(final Role from) throws Exception {
        final Endpoint fifo = PROXIES.fifo();
        final Endpoint standIn = PROXIES.pass(from, fifo);
        assertEquals(FileCalls.mode(fifo) & PERMISSIONS, FileCalls.mode(standIn) & PERMISSIONS);
        assertEquals(Constants.S_IFREG, FileCalls.mode(standIn) & Constants.S_IFMT);
        assertEquals(0, FileCalls.size(standIn));
        assertEquals(
            FileCalls.attributes(fifo).modificationTimeNs(), FileCalls.attributes(standIn).modificationTimeNs());
        assertEquals(-Errno.ESPIPE, FileCalls.seek(standIn, 0, FileCalls.SEEK_SET));
        assertEquals(-Errno.ESPIPE, FileCalls.read(standIn, 0, new byte[1]));
        assertEquals(-Errno.EINVAL, FileCalls.truncate(standIn, 0));
    }

    /** A shell's {@code > /dev/fd/N}. */
    @ParameterizedTest
    @EnumSource
    void shouldBeReopenedWithTruncationWithoutLosingAnything(final Role from) throws Exception {
        final Endpoint fifo = PROXIES.fifo();
        final Endpoint standIn = PROXIES.pass(from, fifo);
        write(standIn, "kept, ");
        final int flags = Constants.O_WRONLY | Constants.O_CREAT | Constants.O_TRUNC;
        final Endpoint again = PROXIES.closing(Endpoint.of(FileCalls.reopen(standIn, flags), "open"));
        write(again, "and more");
        assertEquals("kept, and more", fifo.readText(14));
        assertEquals(-Errno.EINVAL, FileCalls.truncate(again, 0));
    }

    @ParameterizedTest
    @EnumSource
    void shouldBeSplicedFromAsAFifoIs(final Role from) throws Exception {
        final Endpoint fifo = PROXIES.fifo();
        final Endpoint standIn = PROXIES.pass(from, fifo);
        final Endpoint[] pipe = PROXIES.closing(Endpoint.pipe());
        fifo.write("first");
        assertEquals(5, FileCalls.splice(standIn, FileCalls.CURRENT_POSITION, MAPPING_LENGTH, pipe[1]));
        final CompletableFuture<Long> splice = Background.start(
            () -> FileCalls.splice(standIn, FileCalls.CURRENT_POSITION, MAPPING_LENGTH, pipe[1]));
        pause();
        assertFalse(splice.isDone());
        fifo.write("awaited");
        assertEquals(7, Background.join(splice));
        assertEquals("firstawaited", pipe[0].readText(12));
    }

    /** A mapping's page would be read once, and kept from whoever reads. */
    @ParameterizedTest
    @EnumSource
    void shouldTakeNothingForAMapping(final Role from) throws Exception {
        final Endpoint fifo = PROXIES.fifo();
        final Endpoint standIn = PROXIES.pass(from, fifo);
        // After a write, the kernel believes that the file has that size.
        assertEquals(4, write(standIn, "kept"));
        final long address = FileCalls.map(standIn, MAPPING_LENGTH, Constants.PROT_READ, Constants.MAP_PRIVATE);
        if (!Errno.isError(address)) {
            assertTrue(Syscalls.madvise(address, MAPPING_LENGTH, Constants.MADV_POPULATE_READ) < 0);
            Syscalls.munmap(address, MAPPING_LENGTH);
        }
        assertEquals("kept", fifo.readText(4));
    }

    @ParameterizedTest
    @EnumSource
    void shouldHoldUpNothingElseWhileReadersWait(final Role from) throws Exception {
        final Endpoint fifo = PROXIES.fifo();
        final Endpoint standIn = PROXIES.pass(from, fifo);
        final List<CompletableFuture<Integer>> readers = new ArrayList<>();
        for (int i = 0; i < WAITING_READERS; i++) {
            readers.add(Background.start(() -> read(standIn, new byte[1])));
        }
        final byte[] content = Pattern.bytes(8, 300_000);
        final Endpoint file = PROXIES.pass(from, PROXIES.file(content, Constants.O_RDWR));
        assertArrayEquals(content, FileCalls.read(file, 0, content.length));
        assertEquals(4, write(standIn, "1234"));
        for (int i = 4; i < WAITING_READERS; i++) {
            fifo.write("x");
        }
        for (final CompletableFuture<Integer> reader : readers) {
            assertEquals(1, Background.join(reader));
        }
    }

    @ParameterizedTest
    @EnumSource
    void shouldCloseItAtItsOwnerWhenTheLastStandInIsClosed(final Role from) throws Exception {
        final Endpoint fifo = PROXIES.fifo();
        final Endpoint[] ends = PROXIES.connect(from);
        final Map<Role, Integer> before = new EnumMap<>(Role.class);
        for (final Role side : Role.values()) {
            before.put(side, Await.stable(PROXIES.proxy(side)::descriptorCount));
        }
        ends[0].send("f", fifo);
        final Endpoint standIn = ends[1].receive().only();
        try (Endpoint copy = FileCalls.duplicate(standIn);
            Endpoint another = Endpoint.of(FileCalls.reopen(standIn, Constants.O_RDONLY), "open")) {
            standIn.close();
            fifo.write("still");
            assertEquals("still", another.readText(5));
            assertEquals(2, write(copy, "ok"));
        }
        for (final Role side : Role.values()) {
            PROXIES.proxy(side).awaitDescriptorCount(before.get(side));
        }
        assertEquals("ok", fifo.readText(2));
    }

    /** Writes until there is no more room: how much went. */
    private static int fill(final Endpoint fifo) {
        final byte[] page = new byte[4096];
        int length = 0;
        while (fifo.isWritable()) {
            length += FileCalls.write(fifo, FileCalls.CURRENT_POSITION, page);
        }
        return length;
    }

    private static int read(final Endpoint file, final byte[] bytes) {
        return FileCalls.read(file, FileCalls.CURRENT_POSITION, bytes);
    }

    private static int write(final Endpoint file, final String text) {
        return FileCalls.write(file, FileCalls.CURRENT_POSITION, text.getBytes(StandardCharsets.ISO_8859_1));
    }

    private static void setBlocking(final Endpoint file) {
        PosixException.check(
            Syscalls.fcntl(file.fd(), Constants.F_SETFL, file.statusFlags() & ~Constants.O_NONBLOCK), "F_SETFL");
    }

    private static void awaitEvent(final Endpoint epoll) {
        assertTrue((epoll.poll(Constants.EPOLLIN, (int) Await.TIMEOUT_MS) & Constants.EPOLLIN) != 0, "no event");
        assertTrue(hasEvent(epoll), "an event that is none");
    }

    private static boolean hasEvent(final Endpoint epoll) {
        try (Memory events = Memory.allocate(Constants.SIZEOF_EPOLL_EVENT)) {
            return PosixException.check(Syscalls.epollWait(epoll.fd(), events.address(), 1, 0), "epoll_wait") > 0;
        }
    }

    /** For what could go wrong to go wrong. */
    private static void pause() {
        LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(50));
    }

    private static Process python(final String program, final String... arguments) {
        final List<String> command = new ArrayList<>(List.of("python3", "-c", program));
        command.addAll(List.of(arguments));
        try {
            return new ProcessBuilder(command).start();
        } catch (final IOException e) {
            assumeTrue(false, "needs python3: " + e.getMessage());
            throw new AssertionError(e);
        }
    }
}
