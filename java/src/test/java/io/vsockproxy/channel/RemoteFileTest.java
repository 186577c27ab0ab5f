/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.channel;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.vsockproxy.Role;
import io.vsockproxy.channel.ChannelPair.Connection;
import io.vsockproxy.config.Extensions;
import io.vsockproxy.config.SessionLimits;
import io.vsockproxy.fuse.SlowFileProcess;
import io.vsockproxy.link.Link;
import io.vsockproxy.posix.Constants;
import io.vsockproxy.posix.Errno;
import io.vsockproxy.posix.OwnedFd;
import io.vsockproxy.testing.Await;
import io.vsockproxy.testing.ChildJvm;
import io.vsockproxy.testing.Endpoint;
import io.vsockproxy.testing.Mounts;
import io.vsockproxy.testing.Pattern;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLongArray;
import org.agrona.concurrent.UnsafeBuffer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Regular files of the other side that a component uses, without a mount.
 */
@Timeout(value = 120, unit = TimeUnit.SECONDS)
class RemoteFileTest {
    @RegisterExtension
    static final ChannelPair PAIR = new ChannelPair();

    @RegisterExtension
    static final ChannelPair OLD_PAIR = new ChannelPair(Extensions.OFF);

    private static final SessionLimits SHORT_RING =
        SessionLimits.DEFAULTS.toBuilder().outboundLength(1 << 20).build();

    /** Its ring holds one write of the greatest length, so that the next one waits until the link has taken it. */
    @RegisterExtension
    static final ChannelPair SHORT_RING_PAIR = new ChannelPair(Extensions.DEFAULTS, SHORT_RING);

    private static final byte[] CONTENT = Pattern.bytes(10, 7);
    private static final int LENGTH = 300_000;
    private static final int PIECES = 30;
    private static final int PIECE_LENGTH = LENGTH / PIECES;
    /** Of the greatest length: more than the link takes at once, so that the last of them waits. */
    private static final int WAITING_WRITES = 40;
    private static final long UNTOLD = Long.MIN_VALUE;

    @ParameterizedTest
    @EnumSource
    void shouldReadManyPiecesAtOnceIntoTheCallersBuffer(final Role from) throws IOException {
        final byte[] content = Pattern.bytes(11, LENGTH);
        try (Passed passed = Passed.from(PAIR, from, content, Constants.O_RDONLY)) {
            final UnsafeBuffer buffer = new UnsafeBuffer(new byte[LENGTH]);
            final long[] results = passed.askAll(PIECES, (file, i, completion) -> file.pread(
                (long) i * PIECE_LENGTH, buffer, i * PIECE_LENGTH, PIECE_LENGTH, i, completion));
            assertTrue(Arrays.stream(results).allMatch(result -> result == PIECE_LENGTH), Arrays.toString(results));
            assertArrayEquals(content, buffer.byteArray());
            assertEquals(0, passed.ask((file, i, completion) -> file.pread(LENGTH, buffer, 0, 100, i, completion)));
            assertEquals(-Errno.EBADF, passed.ask((file, i, completion) ->
                file.pwrite(0, buffer, 0, 100, i, completion)));
        }
    }

    @ParameterizedTest
    @EnumSource
    void shouldWriteManyPiecesAtOnceAndTruncate(final Role from) throws IOException {
        final byte[] content = Pattern.bytes(12, LENGTH);
        try (Passed passed = Passed.from(PAIR, from, new byte[1], Constants.O_RDWR)) {
            assertEquals(Constants.O_RDWR, passed.file.statusFlags() & Constants.O_ACCMODE);
            final UnsafeBuffer buffer = new UnsafeBuffer(content);
            final long[] results = passed.askAll(PIECES, (file, i, completion) -> file.pwrite(
                (long) i * PIECE_LENGTH, buffer, i * PIECE_LENGTH, PIECE_LENGTH, i, completion));
            assertTrue(Arrays.stream(results).allMatch(result -> result == PIECE_LENGTH), Arrays.toString(results));
            assertArrayEquals(content, Files.readAllBytes(passed.path));
            assertEquals(LENGTH, passed.ask(RemoteFile::fstat));
            assertEquals(0, passed.ask((file, i, completion) -> file.ftruncate(5, i, completion)));
            assertEquals(5, Files.size(passed.path));
        }
    }

    @Test
    void shouldBeDurableAtItsOwnerWhenSyncIsTold() throws IOException {
        Mounts.assumeMountable();
        final Connection connection = PAIR.fromApplication(Role.HOST);
        final Path mount = Files.createDirectory(PAIR.directory().resolve("device"));
        try (ChildJvm device = ChildJvm.start(SlowFileProcess.class, mount.toString(), "1000", "1")) {
            final int number = Integer.parseInt(device.answer());
            final Path path = Path.of("/proc/" + device.pid() + "/fd/" + number);
            try (Passed passed = Passed.over(connection, path, Constants.O_RDWR)) {
                for (final boolean dataOnly : new boolean[] {false, true}) {
                    device.tell("hold");
                    assertEquals("done", device.answer());
                    final AtomicLongArray results = new AtomicLongArray(new long[] {UNTOLD});
                    assertTrue(passed.component.onEngine(() -> passed.file.sync(
                        dataOnly, 0, (asked, correlationId, result) -> results.set((int) correlationId, result))));
                    assertEquals(dataOnly ? "fdatasync" : "fsync", device.answer());
                    assertEquals(UNTOLD, results.get(0));
                    device.tell("release");
                    Await.until(() -> results.get(0) == 0, () -> "the end of it, result=" + results);
                    while (!"done".equals(device.answer())) {
                        // Skips a request that was sent later.
                    }
                }
            }
        }
    }

    @Test
    void shouldTellTheOwnersErrorOfASync() throws IOException {
        final Connection connection = PAIR.fromApplication(Role.GUEST);
        // A file that is not on any disk.
        try (Passed passed = Passed.over(connection, Path.of("/proc/version"), Constants.O_RDONLY)) {
            assertEquals(-Errno.EINVAL, passed.ask((file, i, completion) -> file.sync(false, i, completion)));
        }
    }

    @Test
    void shouldFailSyncWhenThePeerDoesNotSupportIt() throws IOException {
        try (Passed passed = Passed.from(OLD_PAIR, Role.GUEST, CONTENT, Constants.O_RDWR)) {
            assertEquals(-Errno.EOPNOTSUPP, passed.ask((file, i, completion) -> file.sync(false, i, completion)));
            assertEquals(CONTENT.length, passed.ask(RemoteFile::fstat));
        }
    }

    @Test
    void shouldOfferALocalFileToTheOtherSidesComponent() throws IOException {
        final Component[] ends = PAIR.components(Role.GUEST);
        final Path path = Passed.made(PAIR, CONTENT);
        final OwnedFd own = OwnedFd.open(path);
        assertEquals(1, ends[0].offer("x", own));
        assertFalse(own.isOpen());
        try (Passed passed = new Passed(ends[1], ends[1].onlyFile(), path)) {
            final UnsafeBuffer buffer = new UnsafeBuffer(new byte[CONTENT.length]);
            assertEquals(CONTENT.length, passed.ask((file, i, completion) ->
                file.pread(0, buffer, 0, CONTENT.length, i, completion)));
            assertArrayEquals(CONTENT, buffer.byteArray());
        }
    }

    @Test
    void shouldSendNothingOnceClosed() throws IOException {
        final Passed passed = Passed.from(PAIR, Role.GUEST, CONTENT, Constants.O_RDONLY);
        passed.close();
        assertFalse(passed.component.onEngine(passed.file::isOpen));
        assertFalse(passed.component.onEngine(() -> passed.file.fstat(1, (asked, id, result) -> { })));
        assertFalse(passed.component.onEngine(() -> passed.file.sync(true, 1, (asked, id, result) -> { })));
    }

    @Test
    void shouldAnswerEfaultAndGoOnWhenTheBufferOfAReadHasBecomeTooShort() throws IOException {
        try (Passed passed = Passed.from(PAIR, Role.GUEST, CONTENT, Constants.O_RDONLY)) {
            final UnsafeBuffer buffer = new UnsafeBuffer(new byte[7]);
            assertEquals(-Errno.EFAULT, passed.ask((file, i, completion) -> {
                final boolean asked = file.pread(0, buffer, 0, 7, i, completion);
                buffer.wrap(new byte[6]);
                return asked;
            }));
            assertEquals(6, passed.ask((file, i, completion) -> file.pread(0, buffer, 0, 6, i, completion)));
        }
    }

    @Test
    void shouldAnswerEfaultAndGoOnWhenTheBufferOfAWaitingWriteHasBecomeTooShort() throws IOException {
        try (Passed passed = Passed.from(PAIR, Role.GUEST, new byte[1], Constants.O_RDWR)) {
            final UnsafeBuffer buffer = new UnsafeBuffer(new byte[RemoteFile.MAX_LENGTH]);
            final int count = WAITING_WRITES;
            final long[] results = passed.askAll(count, (file, i, completion) -> {
                final boolean asked = file.pwrite(0, buffer, 0, RemoteFile.MAX_LENGTH, i, completion);
                if (i == count - 1) {
                    buffer.wrap(new byte[1]);
                }
                return asked;
            });
            assertEquals(RemoteFile.MAX_LENGTH, results[0]);
            assertEquals(-Errno.EFAULT, results[count - 1]);
            assertEquals(1, passed.ask((file, i, completion) -> file.pwrite(0, buffer, 0, 1, i, completion)));
        }
    }

    /** Sending so much makes the link report room while a write that waited for it is just being failed. */
    @Test
    void shouldAnswerEachRequestOnceWhenTheCallbackOfAWaitingWriteSendsMore() throws IOException {
        final Connection connection = SHORT_RING_PAIR.fromApplication(Role.GUEST);
        final UnsafeBuffer more = new UnsafeBuffer(new byte[Link.EARLY_FLUSH_LENGTH]);
        final Path path = Passed.made(SHORT_RING_PAIR, new byte[1]);
        int failures = 0;
        try (Passed passed = Passed.over(connection, path, Constants.O_RDWR)) {
            for (int round = 0; round < 10; round++) {
                final int length = SHORT_RING.maxPacketLength();
                final UnsafeBuffer whole = new UnsafeBuffer(new byte[length]);
                final UnsafeBuffer shrinking = new UnsafeBuffer(new byte[length]);
                final AtomicInteger offered = new AtomicInteger();
                final AtomicInteger failed = new AtomicInteger();
                // Of each request; behind those made at once, those made by callbacks.
                final AtomicLongArray results = new AtomicLongArray(2 * WAITING_WRITES);
                final AtomicInteger told = new AtomicInteger();
                final RemoteFile.Completion completion = (file, i, result) -> {
                    assertEquals(UNTOLD, results.getAndSet((int) i, result), () -> "request " + i);
                    told.incrementAndGet();
                };
                final RemoteFile.Completion goingOn = (file, i, result) -> {
                    completion.onComplete(file, i, result);
                    if (result == -Errno.EFAULT) {
                        final int next = WAITING_WRITES + failed.getAndIncrement();
                        assertTrue(file.pwrite(0, whole, 0, 1, next, completion));
                        offered.addAndGet(
                            Math.max(0, connection.component().channel().offer(more, 0, more.capacity())));
                    }
                };
                connection.component().onEngine(() -> {
                    for (int i = 0; i < results.length(); i++) {
                        results.set(i, UNTOLD);
                    }
                    for (int i = 0; i < WAITING_WRITES; i++) {
                        assertTrue(passed.file.pwrite(0, i % 2 == 0 ? whole : shrinking, 0, length, i, goingOn));
                    }
                    shrinking.wrap(new byte[1]);
                    return null;
                });
                Await.until(() -> told.get() == WAITING_WRITES + failed.get(),
                    () -> "answers, told=" + told + " of " + WAITING_WRITES + " and " + failed);
                for (int i = 0; i < WAITING_WRITES; i += 2) {
                    assertEquals(length, results.get(i));
                }
                for (int i = 0; i < failed.get(); i++) {
                    assertEquals(1, results.get(WAITING_WRITES + i));
                }
                failures += failed.get();
                connection.application().readFully(offered.get());
            }
        }
        assertTrue(failures > 0);
    }

    @Test
    void shouldOvertakeNoWriteThatWaitsForRoomOnTheLink() throws IOException {
        try (Passed passed = Passed.from(PAIR, Role.GUEST, new byte[1], Constants.O_RDWR)) {
            final UnsafeBuffer written = new UnsafeBuffer(Pattern.bytes(14, RemoteFile.MAX_LENGTH));
            final UnsafeBuffer read = new UnsafeBuffer(new byte[100]);
            final int last = WAITING_WRITES - 1;
            final long[] results = passed.askAll(WAITING_WRITES + 4, (file, i, completion) -> switch (i - last) {
                case 1 -> file.pread((long) last * RemoteFile.MAX_LENGTH, read, 0, 100, i, completion);
                case 2 -> file.ftruncate(5, i, completion);
                case 3 -> file.fstat(i, completion);
                case 4 -> file.pwrite(5, written, 0, 1, i, completion);
                default -> file.pwrite(
                    (long) i * RemoteFile.MAX_LENGTH, written, 0, RemoteFile.MAX_LENGTH, i, completion);
            });
            for (int i = 0; i <= last; i++) {
                assertEquals(RemoteFile.MAX_LENGTH, results[i]);
            }
            assertArrayEquals(new long[] {100, 0, 5, 1}, Arrays.copyOfRange(results, last + 1, results.length));
            assertArrayEquals(Arrays.copyOf(written.byteArray(), 100), read.byteArray());
            assertEquals(6, Files.size(passed.path));
        }
    }

    @Test
    void shouldWriteWhatWaitsForRoomOnTheLinkWhenItIsClosed() throws IOException {
        final Passed passed = Passed.from(PAIR, Role.GUEST, new byte[1], Constants.O_RDWR);
        final UnsafeBuffer written = new UnsafeBuffer(Pattern.bytes(15, RemoteFile.MAX_LENGTH));
        final long[] results = passed.askAll(WAITING_WRITES, (file, i, completion) -> {
            final boolean asked = file.pwrite(
                (long) i * RemoteFile.MAX_LENGTH, written, 0, RemoteFile.MAX_LENGTH, i, completion);
            if (i == WAITING_WRITES - 1) {
                file.close();
            }
            return asked;
        });
        for (final long result : results) {
            assertEquals(RemoteFile.MAX_LENGTH, result);
        }
        assertEquals((long) WAITING_WRITES * RemoteFile.MAX_LENGTH, Files.size(passed.path));
    }

    @Test
    void shouldRefuseToBeClosedOnAnotherThreadAndWhileAClaimIsOpen() throws IOException {
        final Connection connection = PAIR.fromApplication(Role.GUEST);
        try (Passed passed = Passed.over(connection, Passed.made(PAIR, CONTENT), Constants.O_RDONLY)) {
            final RemoteFile file = passed.file;
            assertThrows(IllegalStateException.class, file::close);
            connection.component().onEngine(() -> {
                final ChannelClaim claim = new ChannelClaim();
                assertEquals(4, connection.component().channel().tryClaim(4, claim));
                assertThrows(IllegalStateException.class, file::close);
                claim.buffer().putStringWithoutLengthAscii(0, "sent");
                claim.commit();
                return null;
            });
            assertEquals("sent", connection.application().readText(4));
        }
    }

    /** Sends a request. */
    private interface Request {
        boolean send(RemoteFile file, int index, RemoteFile.Completion completion);
    }

    /**
     * A file that a component has been passed.
     *
     * @param path of the file at its owner.
     */
    private record Passed(Component component, RemoteFile file, Path path) implements AutoCloseable {
        /** Makes a file, and has an application on that side pass it. */
        static Passed from(final ChannelPair pair, final Role side, final byte[] content, final int flags)
            throws IOException {
            return over(pair.fromApplication(side), made(pair, content), flags);
        }

        /** Has the connection's application pass the file at {@code path}. */
        static Passed over(final Connection connection, final Path path, final int flags) {
            try (Endpoint own = Endpoint.open(path, flags)) {
                connection.application().send("x", own);
            }
            return new Passed(connection.component(), connection.component().onlyFile(), path);
        }

        static Path made(final ChannelPair pair, final byte[] content) throws IOException {
            return Files.write(Files.createTempFile(pair.directory(), "passed", ""), content);
        }

        /** Sends one request: its result. */
        long ask(final Request request) {
            return askAll(1, request)[0];
        }

        /** Sends requests all at once: their results. */
        long[] askAll(final int count, final Request request) {
            final AtomicLongArray results = new AtomicLongArray(count);
            final AtomicInteger told = new AtomicInteger();
            final RemoteFile.Completion completion = (asked, correlationId, result) -> {
                if (results.getAndSet((int) correlationId, result) != UNTOLD) {
                    throw new AssertionError("told twice: " + correlationId);
                }
                told.incrementAndGet();
            };
            component.onEngine(() -> {
                for (int i = 0; i < count; i++) {
                    results.set(i, UNTOLD);
                    assertTrue(request.send(file, i, completion), "request " + i);
                }
                return null;
            });
            Await.until(() -> told.get() == count, () -> "answers, told=" + told + " of " + count);
            final long[] all = new long[count];
            Arrays.setAll(all, results::get);
            return all;
        }

        @Override
        public void close() {
            component.onEngine(() -> {
                file.close();
                return null;
            });
        }
    }
}
