/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.extension;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.vsockproxy.Role;
import io.vsockproxy.config.Extensions;
import io.vsockproxy.posix.Constants;
import io.vsockproxy.posix.Errno;
import io.vsockproxy.testing.Await;
import io.vsockproxy.testing.Background;
import io.vsockproxy.testing.Endpoint;
import io.vsockproxy.testing.MixedPair;
import io.vsockproxy.testing.Pattern;
import io.vsockproxy.testing.RunsOverVsock;
import io.vsockproxy.testing.Seeds;
import io.vsockproxy.testing.SessionProbe.StreamState;
import java.util.Arrays;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Credit: a reader that stops reading stops only its own writer, and everything that has been read is always granted
 * again.
 */
@RunsOverVsock
@Timeout(value = 90, unit = TimeUnit.SECONDS)
class FlowControlTest {
    private static final int MAX_WINDOW_LENGTH = Extensions.DEFAULTS.maxWindowLength();
    /** What the local sockets on the way hold, roughly: each side's own, and the one that the proxy has widened. */
    private static final int SOCKETS_LENGTH = 2 << 20;
    private static final byte[] PIECE = Pattern.bytes(41, 50_000);

    @RegisterExtension
    static final MixedPair PAIR = new MixedPair(Extensions.DEFAULTS);


    /** What is stalled: the end that writes and the end that reads. */
    enum Kind {
        CONNECTION {
            @Override
            Endpoint[] make() {
                return PAIR.connect(Role.HOST);
            }
        },
        STREAM {
            @Override
            Endpoint[] make() {
                return pass(Endpoint.socketPair(Constants.SOCK_STREAM), 1);
            }
        },
        SEQPACKET {
            @Override
            Endpoint[] make() {
                return pass(Endpoint.socketPair(Constants.SOCK_SEQPACKET), 1);
            }
        },
        DATAGRAM {
            @Override
            Endpoint[] make() {
                return pass(Endpoint.socketPair(Constants.SOCK_DGRAM), 1);
            }
        },
        PIPE_READ_END {
            @Override
            Endpoint[] make() {
                final Endpoint[] pipe = Endpoint.pipe();
                pipe[1].setNonBlocking();
                return pass(new Endpoint[] {pipe[1], pipe[0]}, 1);
            }
        },
        PIPE_WRITE_END {
            @Override
            Endpoint[] make() {
                final Endpoint[] pipe = Endpoint.pipe();
                final Endpoint[] readerFirst = pass(pipe, 1);
                readerFirst[1].setNonBlocking();
                return new Endpoint[] {readerFirst[1], readerFirst[0]};
            }
        };

        abstract Endpoint[] make();

        boolean isPipe() {
            return this == PIPE_READ_END || this == PIPE_WRITE_END;
        }

        boolean keepsBoundaries() {
            return this == SEQPACKET || this == DATAGRAM;
        }

        /** Sends without waiting: how many bytes, or -EAGAIN. */
        int trySend(final Endpoint writer, final byte[] bytes, final int offset, final int length) {
            return isPipe() ? tryWrite(writer, bytes, offset, length) : writer.trySend(bytes, offset, length);
        }

        private static int tryWrite(final Endpoint writer, final byte[] bytes, final int offset, final int length) {
            return writer.isWritable() ? (int) writer.tryWrite(bytes, offset, length) : -Errno.EAGAIN;
        }

        /** Passes one end of a pair through a connection that is closed again: what stayed, what has come. */
        private static Endpoint[] pass(final Endpoint[] ends, final int index) {
            final Endpoint[] carriers = PAIR.connect(Role.GUEST);
            carriers[0].pass("end", ends[index]);
            final Endpoint passed = carriers[1].receive().only();
            Endpoint.closeAll(carriers);
            Await.untilEqual(1, () -> PAIR.probe(Role.GUEST).handleCount(), "handles of the guest");
            Await.untilEqual(1, () -> PAIR.probe(Role.HOST).handleCount(), "handles of the host");
            return new Endpoint[] {ends[1 - index], passed};
        }
    }

    @ParameterizedTest
    @EnumSource
    void shouldStopTheWriterOfAStalledReaderAndNobodyElse(final Kind kind) {
        final Endpoint[] stalled = closing(kind.make());
        final Endpoint[] other = closing(PAIR.connect(Role.GUEST));
        final long total = writeUntilStalled(kind, stalled[0]);
        assertTrue(total < MAX_WINDOW_LENGTH + SOCKETS_LENGTH, "written before it stalled: " + total);
        for (final Role side : Role.values()) {
            final long queued = PAIR.probe(side).queuedBytes();
            assertTrue(queued <= MAX_WINDOW_LENGTH, "queued by the " + side + ": " + queued);
            assertTrue(!PAIR.probe(side).isBlocked(), "the link is read by the " + side);
        }
        for (int i = 0; i < 300; i++) {
            other[0].send("ping");
            assertEquals("ping", other[1].readText(4));
            other[1].send("pong");
            assertEquals("pong", other[0].readText(4));
        }
        final byte[] much = Pattern.bytes(42, 2 << 20);
        final CompletableFuture<Void> sent = Background.start(() -> {
            other[1].send(much);
            return null;
        });
        assertArrayEquals(much, other[0].readFully(much.length));
        Background.join(sent);
        // And the stalled stream loses nothing when its reader resumes.
        final CompletableFuture<Void> rest = Background.start(() -> {
            writeAll(kind, stalled[0], (int) (total % PIECE.length), 40 * PIECE.length);
            return null;
        });
        readPieces(kind, stalled[1], total + 40L * PIECE.length);
        Background.join(rest);
    }

    @ParameterizedTest
    @EnumSource
    void shouldGiveBackEveryByteOfCredit(final Kind kind) {
        final Random random = Seeds.random("FlowControlTest.shouldGiveBackEveryByteOfCredit");
        final Endpoint[] ends = closing(kind.make());
        final int count = 3000;
        final byte[][] messages = new byte[count][];
        for (int i = 0; i < count; i++) {
            messages[i] = Pattern.bytes(i, random.nextInt(8) == 0 ? 0 : 1 + random.nextInt(1 << random.nextInt(15)));
        }
        transfer(kind, ends[0], ends[1], messages);
        expectBalance();
        if (!kind.isPipe()) {
            transfer(kind, ends[1], ends[0], messages);
            expectBalance();
        }
        // What matters: a whole window can be sent again.
        final long total = writeUntilStalled(kind, ends[0]);
        assertTrue(total >= Extensions.DEFAULTS.windowLength() / 2, "written before it stalled: " + total);
        readPieces(kind, ends[1], total);
    }

    @Test
    void shouldGrowTheWindowOfAReaderThatKeepsUpWithinItsBound() {
        final Endpoint[] ends = closing(PAIR.connect(Role.GUEST));
        final CompletableFuture<Void> sent = Background.start(() -> {
            for (int i = 0; i < 1000; i++) {
                ends[0].send(PIECE);
            }
            return null;
        });
        for (int i = 0; i < 1000; i++) {
            assertArrayEquals(PIECE, ends[1].readFully(PIECE.length));
        }
        Background.join(sent);
        final StreamState receiver = PAIR.probe(Role.HOST).onlyStream();
        assertTrue(
            receiver.window() >= Extensions.DEFAULTS.windowLength() && receiver.window() <= MAX_WINDOW_LENGTH,
            receiver.toString());
        assertEquals(
            receiver.window() - Extensions.DEFAULTS.windowLength(), PAIR.probe(Role.HOST).grownBytes());
        Endpoint.closeAll(ends);
        PAIR.expectNoHandles();
        assertEquals(0, PAIR.probe(Role.HOST).grownBytes());
        assertEquals(0, PAIR.probe(Role.GUEST).grownBytes());
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 7, 4096})
    void shouldKeepGoingWithTheSmallestWindows(final int windowLength) {
        final Extensions small = new Extensions(true, windowLength, windowLength, 0, 0);
        try (MixedPair smallPair = new MixedPair(small)) {
            final Endpoint[] ends = smallPair.connect(Role.GUEST);
            final int length = Math.min(windowLength * 1000, 200_000);
            final byte[] bytes = Pattern.bytes(43, length);
            final CompletableFuture<Void> sent = Background.start(() -> {
                ends[0].send(bytes);
                return null;
            });
            assertArrayEquals(bytes, ends[1].readFully(length));
            Background.join(sent);
            final Endpoint[] packets = Endpoint.socketPair(Constants.SOCK_SEQPACKET);
            ends[1].pass("seqpacket", packets[1]);
            final Endpoint passed = ends[0].receive().only();
            for (int i = 0; i < 100; i++) {
                // A packet that is longer than the window may exceed it.
                packets[0].send(Arrays.copyOf(bytes, 100 * i));
                assertEquals(100 * i, passed.receive().bytes().length);
            }
            Endpoint.closeAll(ends);
            Endpoint.closeAll(packets[0], passed);
            smallPair.expectNothingLeft();
        }
    }

    private static void expectBalance() {
        Await.until(() -> balance().equals("balanced"), FlowControlTest::balance);
    }

    /** At rest, what may still be sent and what is owed make up the receiver's window. */
    private static String balance() {
        final StreamState guest = PAIR.probe(Role.GUEST).onlyStream();
        final StreamState host = PAIR.probe(Role.HOST).onlyStream();
        return guest.allowance() + host.owed() == host.window() && host.allowance() + guest.owed() == guest.window()
            ? "balanced" : guest + " " + host;
    }

    private static void transfer(
        final Kind kind, final Endpoint writer, final Endpoint reader, final byte[][] messages) {
        final CompletableFuture<Void> sent = Background.start(() -> {
            for (final byte[] message : messages) {
                if (kind.isPipe()) {
                    writer.write(message);
                } else if (kind.keepsBoundaries() || message.length > 0) {
                    writer.send(message);
                }
            }
            return null;
        });
        for (int i = 0; i < messages.length; i++) {
            final byte[] expected = messages[i];
            final byte[] actual =
                kind.keepsBoundaries() ? reader.receive().bytes() : reader.readFully(expected.length);
            final int index = i;
            assertArrayEquals(expected, actual, () -> "message " + index);
        }
        Background.join(sent);
    }

    /** Writes PIECE again and again until nothing more goes for a while; of packets, 1000 bytes of it at a time. */
    private static long writeUntilStalled(final Kind kind, final Endpoint writer) {
        long total = 0;
        long lastProgressNs = System.nanoTime();
        while (System.nanoTime() - lastProgressNs < TimeUnit.MILLISECONDS.toNanos(500)) {
            final int offset = (int) (total % PIECE.length);
            final int wanted = kind.keepsBoundaries() ? 1000 : PIECE.length - offset;
            final int sent = kind.trySend(writer, PIECE, offset, wanted);
            if (sent > 0) {
                total += sent;
                lastProgressNs = System.nanoTime();
            } else {
                assertEquals(-Errno.EAGAIN, sent);
                Thread.onSpinWait();
            }
            assertTrue(total < 64 << 20, "the writer is never stopped");
        }
        return total;
    }

    private static void writeAll(final Kind kind, final Endpoint writer, final int start, final int length) {
        int done = 0;
        while (done < length) {
            final int offset = (start + done) % PIECE.length;
            final int wanted = Math.min(
                length - done, kind.keepsBoundaries() ? 1000 : PIECE.length - offset);
            final int sent = kind.trySend(writer, PIECE, offset, wanted);
            if (sent == -Errno.EAGAIN) {
                writer.await(Constants.EPOLLOUT, "room to write, done=" + done);
            } else {
                assertTrue(sent > 0, "sent: " + sent);
                done += sent;
            }
        }
    }

    private static void readPieces(final Kind kind, final Endpoint reader, final long length) {
        final byte[] buffer = new byte[64 << 10];
        long done = 0;
        while (done < length) {
            final int count;
            if (kind.isPipe()) {
                count = (int) reader.read(buffer, 0, (int) Math.min(buffer.length, length - done));
            } else {
                final byte[] received = reader.receive((int) Math.min(buffer.length, length - done)).bytes();
                count = received.length;
                System.arraycopy(received, 0, buffer, 0, count);
            }
            assertTrue(count > 0, "the end came after " + done + " of " + length + " bytes");
            for (int i = 0; i < count; i++) {
                if (buffer[i] != PIECE[(int) ((done + i) % PIECE.length)]) {
                    throw new AssertionError("wrong byte at " + (done + i));
                }
            }
            done += count;
        }
    }

    private Endpoint[] closing(final Endpoint[] ends) {
        PAIR.closing(ends);
        return ends;
    }
}
