/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.extension;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import io.vsockproxy.Role;
import io.vsockproxy.posix.Constants;
import io.vsockproxy.posix.Errno;
import io.vsockproxy.testing.Await;
import io.vsockproxy.testing.Background;
import io.vsockproxy.testing.Endpoint;
import io.vsockproxy.testing.MixedPair;
import io.vsockproxy.testing.Pairing;
import io.vsockproxy.testing.Pattern;
import io.vsockproxy.testing.RunsOverVsock;
import io.vsockproxy.testing.SessionProbe.StreamState;
import io.vsockproxy.testing.TestLink;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Hosts and guests with and without the extension, in all four pairings: everything that the protocol offers works in
 * each, and what the extension adds works between two that have it.
 */
@RunsOverVsock
@Timeout(value = 60, unit = TimeUnit.SECONDS)
class PairingsTest {
    private static final byte[] MUCH = Pattern.bytes(21, 3 << 20);
    private static final byte[] MUCH_BACK = Pattern.bytes(22, 2 << 20);
    private static final int PACKET_LENGTH = 4096;
    /** More than a window, and less than what may wait for a reader where there are none. */
    private static final int SOME_LENGTH = 1 << 20;
    private static final int STALL_MS = 300;

    @ParameterizedTest
    @EnumSource
    void shouldHaveFlowControlOnBothSidesOrOnNeither(final Pairing pairing) {
        try (MixedPair pair = pairing.start()) {
            final Endpoint[] ends = pair.connect(Role.GUEST);
            ends[0].send("x");
            assertEquals("x", ends[1].readText(1));
            for (final Role side : Role.values()) {
                final StreamState state = pair.probe(side).onlyStream();
                assertEquals(pairing.agreed(), state.window() > 0, side + " " + state);
            }
            Endpoint.closeAll(ends);
            pair.expectNothingLeft();
        }
    }

    @ParameterizedTest
    @EnumSource
    void shouldCarryBytesBothWaysAtOnceAndThenTheEnd(final Pairing pairing) {
        try (MixedPair pair = pairing.start()) {
            for (final Role from : Role.values()) {
                final Endpoint[] ends = pair.connect(from);
                exchange(ends[0], ends[1]);
                ends[0].send("last words");
                ends[0].close();
                assertEquals("last words", new String(ends[1].readToEnd(), StandardCharsets.UTF_8));
                ends[1].close();
            }
            pair.expectNothingLeft();
        }
    }

    @ParameterizedTest
    @EnumSource
    void shouldCarryEachKindOfDescriptor(final Pairing pairing) {
        try (MixedPair pair = pairing.start()) {
            final Endpoint[] ends = pair.connect(Role.HOST);
            for (final int type : new int[] {
                Constants.SOCK_STREAM, Constants.SOCK_SEQPACKET, Constants.SOCK_DGRAM}) {
                final Endpoint[] sockets = Endpoint.socketPair(type);
                ends[0].pass("socket", sockets[1]);
                final Endpoint passed = ends[1].receive().only();
                sockets[0].send("there");
                assertEquals("there", passed.receive().text());
                passed.send("and back");
                assertEquals("and back", sockets[0].receive().text());
                if (type == Constants.SOCK_STREAM) {
                    exchange(sockets[0], passed);
                }
                Endpoint.closeAll(passed, sockets[0]);
            }
            passPipes(ends[0], ends[1]);
            if (TestLink.carriesDescriptors()) {
                ends[1].pass("eventfd", Endpoint.eventfd(7));
                final Endpoint passedEvent = ends[0].receive().only();
                assertEquals(8, passedEvent.read(new byte[8], 0, 8));
                passedEvent.close();
            }
            Endpoint.closeAll(ends);
            pair.expectNothingLeft();
        }
    }

    @ParameterizedTest
    @EnumSource
    void shouldPassOnTheEndOfOneDirection(final Pairing pairing) {
        try (MixedPair pair = pairing.start()) {
            for (final Role from : Role.values()) {
                final Endpoint[] ends = pair.connect(from);
                final CompletableFuture<Void> sent = Background.start(() -> {
                    ends[0].send(MUCH);
                    ends[0].shutdownWrite();
                    return null;
                });
                assertArrayEquals(MUCH, ends[1].readToEnd());
                Background.join(sent);
                if (pairing.agreed()) {
                    final CompletableFuture<Void> answer = Background.start(() -> {
                        ends[1].send(MUCH_BACK);
                        ends[1].close();
                        return null;
                    });
                    assertArrayEquals(MUCH_BACK, ends[0].readToEnd());
                    Background.join(answer);
                } else {
                    // Without half-close, the end of one direction is that of both.
                    ends[0].expectEnd();
                }
                Endpoint.closeAll(ends);
            }
            pair.expectNothingLeft();
        }
    }

    @ParameterizedTest
    @EnumSource
    void shouldDeliverEverythingToAReaderThatComesLate(final Pairing pairing) {
        try (MixedPair pair = pairing.start()) {
            final Endpoint[] ends = pair.connect(Role.GUEST);
            final long total = ends[0].sendUntilStalled(MUCH, 1L << 30);
            final CompletableFuture<byte[]> read = Background.start(ends[1]::readToEnd);
            final int rounds = ends[0].sendRest(MUCH, total);
            ends[0].close();
            final byte[] all = Background.join(read);
            assertEquals((long) rounds * MUCH.length, all.length);
            for (int i = 0; i < all.length; i++) {
                if (all[i] != MUCH[i % MUCH.length]) {
                    throw new AssertionError("wrong byte at " + i);
                }
            }
            ends[1].close();
            pair.expectNothingLeft();
        }
    }

    @ParameterizedTest
    @EnumSource
    void shouldTellAWriterThatReadsNothingThatItsReaderHasGone(final Pairing pairing) {
        try (MixedPair pair = pairing.start()) {
            for (final Role from : Role.values()) {
                final Endpoint[] ends = pair.connect(from);
                sendWhatFits(ends[1], SOME_LENGTH);
                sendWhatFits(ends[0], SOME_LENGTH);
                ends[1].close();
                Await.until(() -> ends[0].trySend(MUCH, 0, 1) == -Errno.EPIPE, () -> "EPIPE, from the " + from);
                ends[0].close();
            }
            pair.expectNothingLeft();
        }
    }

    @ParameterizedTest
    @EnumSource
    void shouldDeliverEachPacketOfASocketThatWasClosedWithSomethingUnread(final Pairing pairing) {
        try (MixedPair pair = pairing.start()) {
            final Endpoint[] ends = pair.connect(Role.HOST);
            final Endpoint[] sockets = Endpoint.socketPair(Constants.SOCK_SEQPACKET);
            ends[0].pass("seqpacket", sockets[1]);
            final Endpoint passed = ends[1].receive().only();
            sockets[0].send("never received");
            passed.await(Constants.EPOLLIN, "a packet that is not received");
            final int count = sendWhatFits(passed, SOME_LENGTH) / PACKET_LENGTH;
            passed.close();
            for (int i = 0; i < count; i++) {
                assertEquals(PACKET_LENGTH, sockets[0].receive().bytes().length, i + " of " + count);
            }
            sockets[0].close();
            Endpoint.closeAll(ends);
            pair.expectNothingLeft();
        }
    }

    /** In packets, unless there are none; as many of {@code maxLength} bytes as are taken with nobody receiving. */
    private static int sendWhatFits(final Endpoint socket, final int maxLength) {
        int done = 0;
        int sent = 0;
        while (done < maxLength && (sent >= 0 || socket.poll(Constants.EPOLLOUT, STALL_MS) != 0)) {
            sent = socket.trySend(MUCH, done, PACKET_LENGTH);
            done += Math.max(0, sent);
        }
        return done;
    }

    private static void passPipes(final Endpoint sender, final Endpoint receiver) {
        final Endpoint[] first = Endpoint.pipe();
        sender.pass("read end", first[0]);
        final Endpoint reader = receiver.receive().only();
        final CompletableFuture<Void> written = Background.start(() -> {
            first[1].write(MUCH_BACK);
            first[1].close();
            return null;
        });
        assertArrayEquals(MUCH_BACK, reader.readToEnd());
        Background.join(written);
        reader.close();

        final Endpoint[] second = Endpoint.pipe();
        sender.pass("write end", second[1]);
        final Endpoint writer = receiver.receive().only();
        writer.write("through a pipe");
        writer.close();
        assertArrayEquals("through a pipe".getBytes(StandardCharsets.UTF_8), second[0].readToEnd());
        second[0].close();
    }

    private static void exchange(final Endpoint one, final Endpoint other) {
        final CompletableFuture<Void> there = Background.start(() -> {
            one.send(MUCH);
            return null;
        });
        final CompletableFuture<Void> back = Background.start(() -> {
            other.send(MUCH_BACK);
            return null;
        });
        final CompletableFuture<byte[]> read = Background.start(() -> one.readFully(MUCH_BACK.length));
        assertArrayEquals(MUCH, other.readFully(MUCH.length));
        assertArrayEquals(MUCH_BACK, Background.join(read));
        Background.joinAll(List.of(there, back));
    }
}
