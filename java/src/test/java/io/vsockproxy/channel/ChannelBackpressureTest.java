/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.channel;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.vsockproxy.Role;
import io.vsockproxy.channel.ChannelPair.Connection;
import io.vsockproxy.config.Extensions;
import io.vsockproxy.testing.Await;
import io.vsockproxy.testing.Pattern;
import java.util.concurrent.TimeUnit;
import org.agrona.concurrent.UnsafeBuffer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;

/**
 * Readers that are slower than their senders, on either side of a channel.
 */
@Timeout(value = 120, unit = TimeUnit.SECONDS)
class ChannelBackpressureTest {
    @RegisterExtension
    static final ChannelPair PAIR = new ChannelPair();

    @RegisterExtension
    static final ChannelPair OLD_PAIR = new ChannelPair(Extensions.OFF);

    private static final int PIECE_LENGTH = 60_000;
    private static final long MORE_THAN_ANY_BUFFER = 64 << 20;

    @Test
    void shouldBlockAComponentWhoseReaderDoesNotRead() {
        expectBlockAndWritable(PAIR);
    }

    @Test
    void shouldBlockAComponentWithoutTheExtensionToo() {
        expectBlockAndWritable(OLD_PAIR);
    }

    private static void expectBlockAndWritable(final ChannelPair pair) {
        final Connection connection = pair.toApplication(Role.GUEST);
        final byte[] piece = Pattern.bytes(5, PIECE_LENGTH);
        final int[] pieces = new int[1];
        // The link gets room again and again until the other side's queue is full.
        Await.until(() -> !offerAll(connection, piece, pieces), () -> "no end, pieces=" + pieces[0]);
        Await.stable(() -> {
            offerAll(connection, piece, pieces);
            return pieces[0];
        });
        assertTrue((long) pieces[0] * PIECE_LENGTH < MORE_THAN_ANY_BUFFER, "pieces: " + pieces[0]);
        final int before = connection.component().writableCount();
        for (int i = 0; i < pieces[0]; i++) {
            assertArrayEquals(piece, connection.application().readFully(PIECE_LENGTH));
        }
        Await.until(() -> connection.component().writableCount() > before, () -> "onWritable");
        connection.component().offer("on");
        assertEquals("on", connection.application().readText(2));
    }

    /** Offers until that would block, if it does after a bounded number of pieces. */
    private static boolean offerAll(final Connection connection, final byte[] piece, final int[] pieces) {
        return connection.component().onEngine(() -> {
            final Channel channel = connection.component().channel();
            final UnsafeBuffer buffer = new UnsafeBuffer(piece);
            int result = 0;
            for (int i = 0; i < 1000 && result >= 0; i++) {
                result = channel.offer(buffer, 0, piece.length);
                pieces[0] += result > 0 ? 1 : 0;
            }
            return result >= 0;
        });
    }

    @Test
    void shouldStopTheSenderOfAComponentThatTakesNothingAndNobodyElse() {
        final Connection stalled = PAIR.toApplication(Role.GUEST);
        final Connection lively = PAIR.toApplication(Role.GUEST);
        stalled.component().takeUpTo(10);
        final byte[] bytes = Pattern.bytes(6, 1 << 20);
        final long sent = stalled.application().sendUntilStalled(bytes, MORE_THAN_ANY_BUFFER);
        assertTrue(sent > 10, "sent: " + sent);
        assertEquals(10, stalled.component().receivedLength());
        lively.application().send("lively");
        assertEquals("lively", lively.component().readText(6));
        stalled.component().takeAll();
        final int rounds = stalled.application().sendRest(bytes, sent);
        final byte[] all = stalled.component().read(rounds * bytes.length);
        for (int i = 0; i < rounds; i++) {
            assertArrayEquals(bytes, java.util.Arrays.copyOfRange(all, i * bytes.length, (i + 1) * bytes.length));
        }
    }

    @Test
    void shouldKeepThePartThatIsNotTakenAndGiveItFirst() {
        final Connection connection = PAIR.toApplication(Role.HOST);
        final byte[] bytes = Pattern.bytes(7, 300_000);
        connection.component().takeUpTo(1);
        connection.application().send(java.util.Arrays.copyOf(bytes, 100_000));
        Await.until(() -> connection.component().receivedLength() == 1, () -> "the first byte");
        connection.application().send(java.util.Arrays.copyOfRange(bytes, 100_000, 200_000));
        for (int limit = 70_001; limit < 200_000; limit += 70_001) {
            connection.component().takeUpTo(limit);
            connection.component().onEngine(() -> {
                connection.component().channel().resume();
                return null;
            });
            final int expected = limit;
            Await.until(() -> connection.component().receivedLength() == expected, () -> "bytes up to " + expected);
            assertTrue(connection.component().onEngine(() -> connection.component().channel().isPaused()));
        }
        connection.application().send(java.util.Arrays.copyOfRange(bytes, 200_000, 300_000));
        connection.component().takeAll();
        assertArrayEquals(bytes, connection.component().read(bytes.length));
    }

    @Test
    void shouldGiveNothingWhilePaused() {
        final Connection connection = PAIR.toApplication(Role.HOST);
        connection.component().onEngine(() -> {
            connection.component().channel().pause();
            return null;
        });
        connection.application().send("later");
        connection.application().awaitTaken();
        assertEquals(0, connection.component().receivedLength());
        connection.component().takeAll();
        assertEquals("later", connection.component().readText(5));
    }

    @Test
    void shouldEndBothDirectionsWhereThePeerKnowsNoHalfClose() {
        final Connection connection = OLD_PAIR.toApplication(Role.GUEST);
        connection.component().onEngine(() -> {
            connection.component().channel().shutdownOutput();
            return null;
        });
        connection.application().expectEnd();
        assertEquals(0, connection.component().awaitClosed());
    }

    @Test
    void shouldCarryManyBytesBetweenTwoComponents() {
        final Component[] ends = PAIR.components(Role.HOST);
        final byte[] bytes = Pattern.bytes(8, 20_000_000);
        ends[1].channel();
        ends[0].send(bytes, true);
        assertEquals(0, ends[1].awaitClosed());
        assertArrayEquals(bytes, ends[1].read(bytes.length));
    }
}
