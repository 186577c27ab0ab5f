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
import io.vsockproxy.testing.Await;
import io.vsockproxy.testing.Background;
import io.vsockproxy.testing.Endpoint;
import io.vsockproxy.testing.Pattern;
import io.vsockproxy.testing.Received;
import io.vsockproxy.testing.RunningPair;
import io.vsockproxy.testing.RunsOverVsock;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Each kind of stream, passed from an application on one side to one on the other through two processes.
 */
@RunsOverVsock
@Timeout(value = 120, unit = TimeUnit.SECONDS)
class StreamKindsTest {
    private static final byte[] MUCH = Pattern.bytes(11, 5 << 20);
    private static final byte[] MUCH_AS_ANSWER = Pattern.bytes(12, 1 << 20);

    @RegisterExtension
    static final RunningPair PAIR = RunningPair.processes();

    // ---- The connection itself

    @ParameterizedTest
    @EnumSource
    void shouldCarryAConnectionBothWays(final Role from) {
        final Endpoint[] ends = PAIR.connect(from);
        ends[0].send("from the one that asked");
        assertEquals("from the one that asked", ends[1].readText(23));
        ends[1].send("from the one that answers");
        assertEquals("from the one that answers", ends[0].readText(25));
    }

    @ParameterizedTest
    @EnumSource
    void shouldPassOnTheEndOfAConnectionFromEitherSide(final Role from) {
        final Endpoint[] first = PAIR.connect(from);
        first[0].send("last words");
        first[0].close();
        assertEquals("last words", text(first[1].readToEnd()));
        final Endpoint[] second = PAIR.connect(from);
        second[1].send("other last words");
        second[1].close();
        assertEquals("other last words", text(second[0].readToEnd()));
    }

    @ParameterizedTest
    @EnumSource
    void shouldPassOnTheEndOfOneDirectionBetweenTwoProxiesWithTheExtension(final Role from) {
        final Endpoint[] ends = PAIR.connect(from);
        ends[0].send("question");
        ends[0].shutdownWrite();
        assertEquals("question", text(ends[1].readToEnd()));
        final CompletableFuture<Void> answer = Background.start(() -> {
            ends[1].send(MUCH_AS_ANSWER);
            ends[1].close();
            return null;
        });
        assertArrayEquals(MUCH_AS_ANSWER, ends[0].readToEnd());
        Background.join(answer);
    }

    // ---- Passed sockets

    @ParameterizedTest
    @EnumSource
    void shouldCarryAPassedStreamSocket(final Role from) {
        final Endpoint[] ends = PAIR.connect(from);
        final Endpoint[] pair = PAIR.closing(Endpoint.socketPair(Constants.SOCK_STREAM));
        final Endpoint received = pass(ends, pair[1]);
        exchangeBytes(pair[0], received);
        pair[0].close();
        received.expectEnd();
    }

    @ParameterizedTest
    @EnumSource
    void shouldClosePassedSocketsAtTheOwnerWhenTheReceiverCloses(final Role from) {
        final Endpoint[] ends = PAIR.connect(from);
        for (final int type : new int[] {Constants.SOCK_STREAM, Constants.SOCK_SEQPACKET}) {
            final Endpoint[] pair = PAIR.closing(Endpoint.socketPair(type));
            final Endpoint received = pass(ends, pair[1]);
            received.send("bye");
            received.close();
            assertEquals("bye", pair[0].receive().text());
            assertEquals("", pair[0].receive().text());
            pair[0].awaitHangUp();
        }
    }

    @ParameterizedTest
    @EnumSource
    void shouldKeepTheBoundariesOfPackets(final Role from) {
        final Endpoint[] ends = PAIR.connect(from);
        for (final int type : new int[] {Constants.SOCK_SEQPACKET, Constants.SOCK_DGRAM}) {
            final Endpoint[] pair = PAIR.closing(Endpoint.socketPair(type));
            final Endpoint received = pass(ends, pair[1]);
            exchangePackets(pair[0], received);
            exchangePackets(received, pair[0]);
            received.close();
            pair[0].close();
        }
    }

    @ParameterizedTest
    @EnumSource
    void shouldCarryPacketsOfManyLengths(final Role from) {
        final Endpoint[] ends = PAIR.connect(from);
        for (final int type : new int[] {Constants.SOCK_SEQPACKET, Constants.SOCK_DGRAM}) {
            final Endpoint[] pair = PAIR.closing(Endpoint.socketPair(type));
            final Endpoint received = pass(ends, pair[1]);
            final int[] lengths = {1, 127, 128, 16_384, 65_535, 65_536, 65_537, 130_000, 160_000};
            final CompletableFuture<Void> sender = Background.start(() -> {
                for (final int length : lengths) {
                    pair[0].send(Pattern.bytes(length, length));
                }
                return null;
            });
            for (final int length : lengths) {
                assertArrayEquals(Pattern.bytes(length, length), received.receive().bytes());
            }
            Background.join(sender);
        }
    }

    @ParameterizedTest
    @EnumSource
    void shouldPassOnTheEndOfASeqpacketSocketAfterAnEmptyPacket(final Role from) {
        final Endpoint[] ends = PAIR.connect(from);
        final Endpoint[] pair = PAIR.closing(Endpoint.socketPair(Constants.SOCK_SEQPACKET));
        final Endpoint received = pass(ends, pair[1]);
        pair[0].send("");
        pair[0].send("x");
        pair[0].close();
        assertEquals("", received.receive().text());
        assertEquals("x", received.receive().text());
        assertEquals("", received.receive().text());
        received.awaitHangUp();
    }

    @ParameterizedTest
    @EnumSource
    void shouldNoticeThatADatagramSocketHasBeenClosedOnEitherSideThoughNoMorePacketsCome(final Role from) {
        final Endpoint[] ends = PAIR.connect(from);
        Await.stable(() -> PAIR.pair().descriptorCounts()[1]);
        final int[] before = PAIR.pair().descriptorCounts();
        final Endpoint[] first = PAIR.closing(Endpoint.socketPair(Constants.SOCK_DGRAM));
        final Endpoint[] second = PAIR.closing(Endpoint.socketPair(Constants.SOCK_DGRAM));
        final Endpoint receivedFirst = pass(ends, first[1]);
        final Endpoint receivedSecond = pass(ends, second[1]);
        receivedFirst.send("to the owner");
        receivedFirst.close();
        second[0].send("to the receiver");
        second[0].close();
        assertEquals("to the owner", first[0].receive().text());
        assertEquals("to the receiver", receivedSecond.receive().text());
        // Both proxies close both.
        PAIR.pair().awaitProxyDescriptorCounts(before);
        assertEquals(-Errno.ECONNREFUSED, first[0].trySend(new byte[1], 0, 1));
        assertEquals(-Errno.ECONNREFUSED, receivedSecond.trySend(new byte[1], 0, 1));
    }

    @ParameterizedTest
    @EnumSource
    void shouldNoticeThatADatagramSocketHasBeenClosedByTheNextPacket(final Role from) {
        final Endpoint[] ends = PAIR.connect(from);
        final Endpoint[] pair = PAIR.closing(Endpoint.socketPair(Constants.SOCK_DGRAM));
        final Endpoint received = pass(ends, pair[1]);
        received.close();
        Await.until(
            () -> pair[0].trySend(new byte[1], 0, 1) == -Errno.ECONNREFUSED,
            () -> "an error when sending to a datagram socket that has gone");
    }

    // ---- Pipes

    @ParameterizedTest
    @EnumSource
    void shouldCarryThePassedReadEndOfAPipe(final Role from) {
        final Endpoint[] pipe = PAIR.closing(Endpoint.pipe());
        final Endpoint received = pass(PAIR.connect(from), pipe[0]);
        assertEquals(Constants.O_RDONLY, received.statusFlags() & Constants.O_ACCMODE);
        expectFlow(pipe[1], received);
    }

    @ParameterizedTest
    @EnumSource
    void shouldCarryThePassedWriteEndOfAPipe(final Role from) {
        final Endpoint[] pipe = PAIR.closing(Endpoint.pipe());
        final Endpoint received = pass(PAIR.connect(from), pipe[1]);
        assertEquals(Constants.O_WRONLY, received.statusFlags() & Constants.O_ACCMODE);
        expectFlow(received, pipe[0]);
    }

    @ParameterizedTest
    @EnumSource
    void shouldCarryBothEndsOfNamedFifos(final Role from) throws Exception {
        final Endpoint[] ends = PAIR.connect(from);
        final Path readable = fifo("readable-" + from);
        final Endpoint[] first = openBoth(readable);
        final Endpoint receivedReader = pass(ends, first[0]);
        expectFlow(first[1], receivedReader);
        final Path writable = fifo("writable-" + from);
        final Endpoint[] second = openBoth(writable);
        final Endpoint receivedWriter = pass(ends, second[1]);
        expectFlow(receivedWriter, second[0]);
    }

    @ParameterizedTest
    @EnumSource
    void shouldTellTheWriterOfAPipeThatItsReaderHasGone(final Role from) {
        final Endpoint[] ends = PAIR.connect(from);
        // The reader is on the other side.
        final Endpoint[] first = PAIR.closing(Endpoint.pipe());
        final Endpoint receivedReader = pass(ends, first[0]);
        first[1].write("unread");
        receivedReader.close();
        first[1].awaitHangUp();
        assertEquals(-Errno.EPIPE, first[1].tryWrite(new byte[1], 0, 1));
        // The writer is on the other side.
        final Endpoint[] second = PAIR.closing(Endpoint.pipe());
        final Endpoint receivedWriter = pass(ends, second[1]);
        second[0].close();
        receivedWriter.awaitHangUp();
        assertEquals(-Errno.EPIPE, receivedWriter.tryWrite(new byte[1], 0, 1));
    }

    // ---- O_NONBLOCK

    @ParameterizedTest
    @EnumSource
    void shouldLeaveDescriptorsBlockingOnBothSides(final Role from) {
        final Endpoint[] ends = PAIR.connect(from);
        final Endpoint[] stream = PAIR.closing(Endpoint.socketPair(Constants.SOCK_STREAM));
        final Endpoint[] packets = PAIR.closing(Endpoint.socketPair(Constants.SOCK_SEQPACKET));
        final Endpoint[] pipe = PAIR.closing(Endpoint.pipe());
        final Endpoint[] otherPipe = PAIR.closing(Endpoint.pipe());
        // The passed end stays open here too: it shares its flags with the proxy's copy.
        ends[0].send("d", stream[1], packets[1], pipe[0], otherPipe[1]);
        final Received received = ends[1].receive();
        received.descriptors().forEach(PAIR::closing);
        assertEquals(4, received.descriptors().size());
        stream[0].send("a");
        packets[0].send("b");
        pipe[1].write("c");
        received.descriptors().get(3).write("d");
        assertEquals("a", received.descriptors().get(0).readText(1));
        assertEquals("b", received.descriptors().get(1).readText(1));
        assertEquals("c", received.descriptors().get(2).readText(1));
        assertEquals("d", otherPipe[0].readText(1));
        for (final Endpoint kept : new Endpoint[] {stream[1], packets[1], pipe[0], otherPipe[1], ends[0], ends[1]}) {
            assertFalse(kept.isNonBlocking());
        }
        for (final Endpoint end : received.descriptors()) {
            assertFalse(end.isNonBlocking());
        }
    }

    @ParameterizedTest
    @EnumSource
    void shouldPassOnThatADescriptorIsNonBlocking(final Role from) {
        final Endpoint[] ends = PAIR.connect(from);
        final Endpoint[] stream = PAIR.closing(Endpoint.socketPair(Constants.SOCK_STREAM));
        final Endpoint[] pipe = PAIR.closing(Endpoint.pipe());
        stream[1].setNonBlocking();
        pipe[0].setNonBlocking();
        ends[0].send("d", stream[1], pipe[0], stream[0]);
        final Received received = ends[1].receive();
        received.descriptors().forEach(PAIR::closing);
        assertTrue(received.descriptors().get(0).isNonBlocking());
        assertTrue(received.descriptors().get(1).isNonBlocking());
        assertFalse(received.descriptors().get(2).isNonBlocking());
        assertTrue(stream[1].isNonBlocking());
        assertFalse(stream[0].isNonBlocking());
    }

    // ----

    private static Endpoint pass(final Endpoint[] ends, final Endpoint passed) {
        ends[0].send("d", passed);
        passed.close();
        return PAIR.closing(ends[1].receive(1).only());
    }

    private static void exchangeBytes(final Endpoint one, final Endpoint other) {
        final CompletableFuture<Void> sender = Background.start(() -> {
            one.send(MUCH);
            return null;
        });
        assertArrayEquals(MUCH, other.readFully(MUCH.length));
        Background.join(sender);
        other.send("thanks");
        assertEquals("thanks", one.readText(6));
    }

    private static void exchangePackets(final Endpoint from, final Endpoint to) {
        for (final String packet : new String[] {"one", "", "", "two", "x".repeat(5000), ""}) {
            from.send(packet);
        }
        for (final String packet : new String[] {"one", "", "", "two", "x".repeat(5000), ""}) {
            assertEquals(packet, to.receive().text());
        }
    }

    private static void expectFlow(final Endpoint writer, final Endpoint reader) {
        final CompletableFuture<Void> sender = Background.start(() -> {
            writer.write(MUCH);
            writer.close();
            return null;
        });
        assertArrayEquals(MUCH, reader.readFully(MUCH.length));
        reader.expectEnd();
        Background.join(sender);
    }

    private static Path fifo(final String name) throws IOException, InterruptedException {
        final Path path = PAIR.directory().resolve(name);
        assertEquals(0, new ProcessBuilder("mkfifo", path.toString()).start().waitFor());
        return path;
    }

    /** Read end and write end; each open waits for the other. */
    private static Endpoint[] openBoth(final Path fifo) throws IOException {
        final CompletableFuture<Endpoint> writer = Background.start(() -> Endpoint.open(fifo, Constants.O_WRONLY));
        final Endpoint reader = Endpoint.open(fifo, Constants.O_RDONLY);
        final Endpoint[] both = PAIR.closing(reader, Background.join(writer));
        Files.delete(fifo);
        return both;
    }

    private static String text(final byte[] bytes) {
        return new String(bytes, StandardCharsets.ISO_8859_1);
    }
}
