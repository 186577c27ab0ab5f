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
import io.vsockproxy.testing.Background;
import io.vsockproxy.testing.Endpoint;
import io.vsockproxy.testing.FileCalls;
import io.vsockproxy.testing.MountedPair;
import io.vsockproxy.testing.Pattern;
import io.vsockproxy.testing.Received;
import io.vsockproxy.testing.RunsOverVsock;
import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** How files travel: among others, back, and until the last copy is closed. */
@RunsOverVsock
@Timeout(value = 120, unit = TimeUnit.SECONDS, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class FilePassingTest {
    private static final int MIB = 1 << 20;
    private static final int MANY = 500;

    @RegisterExtension
    static final MountedPair PROXIES = new MountedPair();

    @ParameterizedTest
    @EnumSource
    void shouldPassFilesWithSocketsAndPipesInOrder(final Role from) throws IOException {
        final Endpoint[] ends = PROXIES.connect(from);
        final Endpoint[] pair = PROXIES.closing(Endpoint.socketPair(Constants.SOCK_STREAM));
        final Endpoint[] pipe = PROXIES.closing(Endpoint.pipe());
        final Endpoint first = PROXIES.file("first".getBytes(StandardCharsets.ISO_8859_1), Constants.O_RDONLY);
        final Endpoint second = PROXIES.file("second".getBytes(StandardCharsets.ISO_8859_1), Constants.O_RDONLY);
        ends[0].send("before");
        // Read before more is sent, because the kernel may join these bytes with later ones that have descriptors.
        assertEquals("before", text(ends[1], 6));
        ends[0].send("with", first, pair[0], second, pipe[0]);
        ends[0].send("after");
        pair[0].close();
        pipe[0].close();

        final Received received = ends[1].receive(4);
        final List<Endpoint> got = received.descriptors();
        got.forEach(PROXIES::closing);
        assertEquals("with", received.text());
        assertEquals(4, got.size());
        assertEquals("after", text(ends[1], 5));
        assertEquals("first", got.get(0).readText(5));
        assertEquals("second", got.get(2).readText(6));
        pair[1].send("through the socket");
        assertEquals("through the socket", got.get(1).readText(18));
        pipe[1].write("through the pipe");
        assertEquals("through the pipe", got.get(3).readText(16));
    }

    @Test
    void shouldKeepTheOrderOfManyMessagesWithAndWithoutFiles() throws IOException {
        final int messages = 200;
        final Endpoint[] ends = PROXIES.connect(Role.GUEST);
        final CompletableFuture<Void> sender = Background.start(() -> {
            for (int i = 0; i < messages; i++) {
                if (i % 3 == 0) {
                    try (Endpoint file = FileCalls.memfd(text(i).getBytes(StandardCharsets.ISO_8859_1))) {
                        ends[0].send(text(i), file);
                    }
                } else {
                    ends[0].send(text(i));
                }
            }
            return null;
        });
        final StringBuilder expected = new StringBuilder();
        for (int i = 0; i < messages; i++) {
            expected.append(text(i));
        }
        final StringBuilder text = new StringBuilder();
        int next = 0;
        while (text.length() < expected.length()) {
            final Received received = ends[1].receive();
            text.append(received.text());
            for (final Endpoint file : received.descriptors()) {
                assertEquals(text(next), file.readText(text(next).length()));
                file.close();
                next += 3;
            }
            // Whoever has read a message has received its file.
            assertFalse(text.indexOf(text(next)) >= 0, () -> "a file is missing behind '" + text + "'");
        }
        assertEquals(expected.toString(), text.toString());
        Background.join(sender);
    }

    @Test
    void shouldDeliverAFileBeforeTheEndThatFollowsIt() throws IOException {
        final Endpoint[] ends = PROXIES.connect(Role.GUEST);
        ends[0].send("f", PROXIES.file("content".getBytes(StandardCharsets.ISO_8859_1), Constants.O_RDONLY));
        ends[0].send("rest");
        ends[0].close();
        final Received received = ends[1].receive(1);
        final Endpoint file = PROXIES.closing(received.only());
        assertEquals("rest", text(ends[1], 4));
        ends[1].expectEnd();
        // The stream has ended, but not the file.
        assertEquals("content", file.readText(7));
    }

    @ParameterizedTest
    @EnumSource
    void shouldReadAndWriteAFileThatCameBack(final Role owner) throws IOException {
        final byte[] content = Pattern.bytes(1, 2 * MIB);
        final Endpoint original = PROXIES.file(content, Constants.O_RDWR);
        final Endpoint[] ends = PROXIES.connect(owner);
        final Endpoint there = PROXIES.pass(ends[0], ends[1], original);
        final Endpoint back = PROXIES.pass(ends[1], ends[0], there);
        final Endpoint thereAgain = PROXIES.pass(ends[0], ends[1], back);
        final Endpoint backAgain = PROXIES.pass(ends[1], ends[0], thereAgain);
        for (final Endpoint file : List.of(there, back, thereAgain, backAgain)) {
            assertEquals(content.length, FileCalls.size(file));
            assertArrayEquals(Arrays.copyOf(content, MIB), FileCalls.read(file, 0, MIB));
            final byte[] piece = Pattern.bytes(file.fd(), 100_000);
            assertEquals(piece.length, FileCalls.write(file, MIB, piece));
            assertArrayEquals(piece, FileCalls.read(original, MIB, piece.length));
            assertArrayEquals(piece, FileCalls.read(file, MIB, piece.length));
        }
        assertEquals(0, FileCalls.truncate(backAgain, 10));
        assertEquals(10, FileCalls.size(original));
        assertNothingOfItsOwnMountIsMapped(Role.HOST);
        assertNothingOfItsOwnMountIsMapped(Role.GUEST);
    }

    /** More reads at once than a proxy has workers, at every level of two files that came back twice. */
    @Test
    void shouldNotLetReadsOfPassedBackFilesWaitForEachOther() throws IOException {
        final byte[] content = Pattern.bytes(2, MIB);
        final Endpoint[] ends = PROXIES.connect(Role.GUEST);
        final List<CompletableFuture<Void>> readers = new ArrayList<>();
        for (int i = 0; i < 3; i++) {
            Endpoint file = PROXIES.file(content, Constants.O_RDONLY);
            for (int passes = 0; passes < 6; passes++) {
                file = PROXIES.pass(ends[passes % 2], ends[1 - passes % 2], file);
            }
            final Endpoint last = file;
            for (int reader = 0; reader < 12; reader++) {
                readers.add(Background.start(() -> {
                    for (int round = 0; round < 20; round++) {
                        assertArrayEquals(
                            Arrays.copyOfRange(content, round * 100, round * 100 + 50_000),
                            FileCalls.read(last, round * 100L, 50_000));
                    }
                    return null;
                }));
            }
        }
        Background.joinAll(readers);
    }

    /** Opening what has come waits for the other side, which waits for nothing that opening needs. */
    @Test
    void shouldTakeManyFilesFromBothSidesAtOnce() throws IOException {
        final List<CompletableFuture<Void>> applications = new ArrayList<>();
        for (int i = 0; i < 4; i++) {
            final Endpoint[] ends = PROXIES.connect(i % 2 == 0 ? Role.GUEST : Role.HOST);
            for (int side = 0; side < 2; side++) {
                final Endpoint own = ends[side];
                applications.add(Background.start(() -> {
                    for (int round = 0; round < 10; round++) {
                        final Endpoint[] files = new Endpoint[20];
                        for (int j = 0; j < files.length; j++) {
                            files[j] = FileCalls.memfd(text(j).getBytes(StandardCharsets.ISO_8859_1));
                        }
                        own.pass("f", files);
                    }
                    return null;
                }));
                applications.add(Background.start(() -> {
                    for (int left = 200; left > 0;) {
                        final List<Endpoint> files = own.receive().descriptors();
                        for (final Endpoint file : files) {
                            assertEquals(text((200 - left) % 20), file.readText(text((200 - left) % 20).length()));
                            file.close();
                            left--;
                        }
                    }
                    return null;
                }));
            }
        }
        Background.joinAll(applications);
    }

    @Test
    void shouldServeManyFilesAtOnce() throws IOException {
        final Endpoint[] ends = PROXIES.connect(Role.GUEST);
        final List<Endpoint> files = new ArrayList<>();
        for (int i = 0; i < MANY; i += 50) {
            final Endpoint[] originals = new Endpoint[50];
            for (int j = 0; j < originals.length; j++) {
                originals[j] = FileCalls.memfd(text(i + j).getBytes(StandardCharsets.ISO_8859_1));
            }
            ends[0].pass("50 files", originals);
            final Received received = ends[1].receive();
            received.descriptors().forEach(PROXIES::closing);
            assertEquals(50, received.descriptors().size());
            files.addAll(received.descriptors());
        }
        for (int i = MANY - 1; i >= 0; i--) {
            assertEquals(text(i).length(), FileCalls.size(files.get(i)));
            assertEquals(text(i), files.get(i).readText(text(i).length()));
        }
    }

    @Test
    void shouldStayUsableAfterTheOwnersApplicationHasClosedItsCopy() throws IOException {
        final Path path = Files.createTempFile(PROXIES.directory(), "file", "");
        final Endpoint original = PROXIES.closing(Endpoint.open(path, Constants.O_RDWR));
        final Endpoint[] ends = PROXIES.connect(Role.GUEST);
        final Endpoint file = PROXIES.pass(ends[0], ends[1], original);
        original.close();
        Endpoint.closeAll(ends);
        Files.delete(path);
        assertEquals(5, FileCalls.write(file, 0, "alive".getBytes(StandardCharsets.ISO_8859_1)));
        assertEquals("alive", file.readText(5));
        assertEquals(5, FileCalls.size(file));
    }

    @Test
    void shouldTellTheOwnerOfTheLastCloseAndOfNoOther() throws Exception {
        final Endpoint original = PROXIES.file(Pattern.bytes(3, 100), Constants.O_RDWR);
        final Endpoint[] ends = PROXIES.connect(Role.GUEST);
        final int[] before = PROXIES.descriptorCounts();
        final Endpoint file = PROXIES.pass(ends[0], ends[1], original);
        final Endpoint copy = FileCalls.duplicate(file);
        final Endpoint reopened = Endpoint.of(FileCalls.reopen(file, Constants.O_RDONLY), "reopen");
        final Endpoint[] carrier = Endpoint.socketPair(Constants.SOCK_STREAM);
        carrier[0].send("in flight", file);
        final Process child = new ProcessBuilder("sh", "-c", "read line; exec cat")
            .redirectInput(new File("/proc/self/fd/" + file.fd())).redirectOutput(ProcessBuilder.Redirect.DISCARD)
            .start();
        assertTrue(child.waitFor(20, TimeUnit.SECONDS));
        // They are closed one after the other, and the others can still be read.
        file.close();
        assertArrayEquals(Pattern.bytes(3, 100), FileCalls.read(copy, 0, 100));
        copy.close();
        assertArrayEquals(Pattern.bytes(3, 100), FileCalls.read(reopened, 0, 100));
        reopened.close();
        assertEquals(before[1] + 1, PROXIES.proxy(Role.GUEST).descriptorCount());
        final Endpoint arrived = carrier[1].receive().only();
        Endpoint.closeAll(carrier);
        assertArrayEquals(Pattern.bytes(3, 100), FileCalls.read(arrived, 0, 100));
        arrived.close();
        PROXIES.awaitDescriptorCounts(before);
    }

    @Test
    void shouldTellTheOwnerWhenAFileIsLostOnItsWayToAnApplication() throws IOException {
        final Endpoint[] ends = PROXIES.connect(Role.GUEST);
        final int[] before = PROXIES.descriptorCounts();
        for (int i = 0; i < 20; i++) {
            ends[0].send("unread", PROXIES.file(Pattern.bytes(i, 10), Constants.O_RDONLY));
        }
        PROXIES.proxy(Role.GUEST).awaitDescriptorCount(before[1] + 20);
        ends[1].close();
        PROXIES.proxy(Role.GUEST).awaitDescriptorCount(before[1] - 1);
        PROXIES.proxy(Role.HOST).awaitDescriptorCount(before[2] - 1);
    }

    private static void assertNothingOfItsOwnMountIsMapped(final Role side) throws IOException {
        final Path maps = Path.of("/proc/" + PROXIES.proxy(side).pid() + "/maps");
        final String mount = PROXIES.mount(side).toString();
        assertFalse(Files.readAllLines(maps).stream().anyMatch(line -> line.contains(mount)), "of " + side);
    }

    private static String text(final int number) {
        return "file or message number " + number + ".";
    }

    private static String text(final Endpoint socket, final int length) {
        final StringBuilder text = new StringBuilder();
        while (text.length() < length) {
            final Received received = socket.receive(length - text.length());
            assertEquals(0, received.descriptors().size());
            assertTrue(received.bytes().length > 0);
            text.append(received.text());
        }
        return text.toString();
    }
}
