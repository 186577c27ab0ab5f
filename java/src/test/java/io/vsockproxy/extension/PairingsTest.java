/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.extension;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import io.vsockproxy.Role;
import io.vsockproxy.posix.Constants;
import io.vsockproxy.session.Extensions;
import io.vsockproxy.session.SessionLimits;
import io.vsockproxy.testing.Background;
import io.vsockproxy.testing.Endpoint;
import io.vsockproxy.testing.MixedPair;
import io.vsockproxy.testing.Pattern;
import io.vsockproxy.testing.SessionProbe.StreamState;
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
@Timeout(value = 60, unit = TimeUnit.SECONDS)
class PairingsTest {
    private static final byte[] MUCH = Pattern.bytes(21, 3 << 20);
    private static final byte[] MUCH_BACK = Pattern.bytes(22, 2 << 20);

    /** Which side has the extension. */
    enum Pairing {
        NEW_HOST_NEW_GUEST(true, true),
        NEW_HOST_OLD_GUEST(true, false),
        OLD_HOST_NEW_GUEST(false, true),
        OLD_HOST_OLD_GUEST(false, false);

        private final boolean host;
        private final boolean guest;

        Pairing(final boolean host, final boolean guest) {
            this.host = host;
            this.guest = guest;
        }

        MixedPair start() {
            return new MixedPair(settings(host), settings(guest), SessionLimits.DEFAULTS);
        }

        boolean agreed() {
            return host && guest;
        }

        private static Extensions settings(final boolean enabled) {
            return enabled ? Extensions.DEFAULTS : Extensions.OFF;
        }
    }

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
            final Endpoint event = Endpoint.eventfd(7);
            ends[1].pass("eventfd", event);
            final Endpoint passedEvent = ends[0].receive().only();
            assertEquals(8, passedEvent.read(new byte[8], 0, 8));
            passedEvent.close();
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
