/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.extension;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
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
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * One direction that ends before the other, between two proxies with the extension.
 */
@RunsOverVsock
@Timeout(value = 60, unit = TimeUnit.SECONDS)
class HalfCloseTest {
    private static final byte[] MUCH = Pattern.bytes(31, 3 << 20);

    @RegisterExtension
    static final MixedPair PAIR = new MixedPair(Extensions.DEFAULTS);


    /** Where a stream's two ends come from. */
    enum Kind {
        FROM_THE_GUEST {
            @Override
            Endpoint[] make() {
                return PAIR.connect(Role.GUEST);
            }
        },
        FROM_THE_HOST {
            @Override
            Endpoint[] make() {
                return PAIR.connect(Role.HOST);
            }
        },
        PASSED_STREAM {
            @Override
            Endpoint[] make() {
                return pass(Constants.SOCK_STREAM);
            }
        },
        PASSED_SEQPACKET {
            @Override
            Endpoint[] make() {
                return pass(Constants.SOCK_SEQPACKET);
            }
        };

        abstract Endpoint[] make();

        private static Endpoint[] pass(final int type) {
            final Endpoint[] carriers = PAIR.connect(Role.GUEST);
            final Endpoint[] sockets = Endpoint.socketPair(type);
            carriers[0].pass("socket", sockets[1]);
            final Endpoint passed = carriers[1].receive().only();
            Endpoint.closeAll(carriers);
            Await.untilEqual(1, () -> PAIR.probe(Role.GUEST).handleCount(), "handles of the guest");
            Await.untilEqual(1, () -> PAIR.probe(Role.HOST).handleCount(), "handles of the host");
            return new Endpoint[] {sockets[0], passed};
        }
    }

    @ParameterizedTest
    @EnumSource
    void shouldGoOnInTheOppositeDirectionUntilThatEndsToo(final Kind kind) {
        for (int first = 0; first <= 1; first++) {
            final Endpoint[] ends = ends(kind);
            final Endpoint ending = ends[first];
            final Endpoint going = ends[1 - first];
            ending.send("question");
            ending.shutdownWrite();
            assertEquals("question", going.receive().text());
            going.expectEnd();
            for (int i = 0; i < 50; i++) {
                going.send("answer");
                assertEquals("answer", ending.receive().text());
            }
            // Only one direction has ended.
            assertEquals(1, PAIR.probe(Role.GUEST).handleCount());
            assertEquals(1, PAIR.probe(Role.HOST).handleCount());
            going.shutdownWrite();
            ending.expectEnd();
            PAIR.expectNoHandles();
            Endpoint.closeAll(ends);
        }
    }

    @ParameterizedTest
    @EnumSource
    void shouldDeliverWhatWaitsBeforeTheEndOfFile(final Kind kind) {
        final Endpoint[] ends = ends(kind);
        final byte[] piece = Pattern.bytes(32, 30_000);
        final CompletableFuture<Void> sent = Background.start(() -> {
            for (int i = 0; i < 100; i++) {
                ends[0].send(piece);
            }
            ends[0].shutdownWrite();
            return null;
        });
        // Far more than the sockets hold, so that a part of it waits in the proxies when the end is announced.
        Await.until(
            () -> PAIR.probe(Role.HOST).queuedBytes() + PAIR.probe(Role.GUEST).queuedBytes() > 0 || sent.isDone(),
            () -> "a queue");
        for (int i = 0; i < 100; i++) {
            assertArrayEquals(piece, ends[1].readFully(piece.length), "piece " + i);
        }
        ends[1].expectEnd();
        Background.join(sent);
        ends[1].send("still there?");
        assertEquals("still there?", ends[0].receive().text());
    }

    @ParameterizedTest
    @EnumSource
    void shouldRefuseToSendAfterTheOtherSideHasClosedAltogether(final Kind kind) {
        final Endpoint[] ends = ends(kind);
        ends[0].shutdownWrite();
        ends[1].expectEnd();
        ends[0].close();
        final byte[] byteTooMuch = new byte[1];
        Await.until(
            () -> ends[1].trySend(byteTooMuch, 0, 1) == -Errno.EPIPE,
            () -> "EPIPE, as from a local socket whose other end is closed");
        PAIR.expectNoHandles();
    }

    @ParameterizedTest
    @EnumSource
    void shouldEndBothWhenBothEndAtOnce(final Kind kind) {
        for (int i = 0; i < 30; i++) {
            final Endpoint[] ends = ends(kind);
            ends[0].send("a");
            ends[1].send("b");
            ends[0].shutdownWrite();
            ends[1].shutdownWrite();
            assertEquals("b", ends[0].receive().text());
            assertEquals("a", ends[1].receive().text());
            ends[0].expectEnd();
            ends[1].expectEnd();
            PAIR.expectNoHandles();
            Endpoint.closeAll(ends);
        }
    }

    @Test
    void shouldEndOneDirectionBeforeAnythingWasSent() {
        final Endpoint[] ends = ends(Kind.FROM_THE_GUEST);
        ends[0].shutdownWrite();
        ends[1].expectEnd();
        ends[1].send(Pattern.bytes(33, 100_000));
        assertArrayEquals(Pattern.bytes(33, 100_000), ends[0].readFully(100_000));
    }

    @Test
    void shouldCarryMuchInTheOneDirectionThatIsLeft() {
        final Endpoint[] ends = ends(Kind.FROM_THE_HOST);
        ends[0].shutdownWrite();
        ends[1].expectEnd();
        final CompletableFuture<Void> sent = Background.start(() -> {
            for (int i = 0; i < 10; i++) {
                ends[1].send(MUCH);
            }
            ends[1].close();
            return null;
        });
        for (int i = 0; i < 10; i++) {
            assertArrayEquals(MUCH, ends[0].readFully(MUCH.length));
        }
        ends[0].expectEnd();
        Background.join(sent);
    }

    @Test
    void shouldCloseAPipeAltogetherWhenItEnds() {
        final Endpoint[] carriers = ends(Kind.FROM_THE_GUEST);
        final Endpoint[] pipe = Endpoint.pipe();
        carriers[0].pass("read end", pipe[0]);
        final Endpoint reader = carriers[1].receive().only();
        pipe[1].write("x");
        pipe[1].close();
        assertEquals("x", reader.readText(1));
        reader.expectEnd();
        reader.close();
        Await.untilEqual(1, () -> PAIR.probe(Role.GUEST).handleCount(), "handles of the guest");
    }

    @Test
    void shouldNotTakeAnEmptySeqpacketForTheEnd() {
        final Endpoint[] ends = ends(Kind.PASSED_SEQPACKET);
        ends[0].send("");
        ends[0].send("after it");
        assertEquals("", ends[1].receive().text());
        assertEquals("after it", ends[1].receive().text());
        assertFalse(ends[1].isHungUp());
        ends[0].shutdownWrite();
        Await.until(ends[1]::isHungUp, () -> "the end");
        assertTrue(ends[1].receive().text().isEmpty());
    }

    private Endpoint[] ends(final Kind kind) {
        final Endpoint[] ends = kind.make();
        PAIR.closing(ends);
        return ends;
    }
}
