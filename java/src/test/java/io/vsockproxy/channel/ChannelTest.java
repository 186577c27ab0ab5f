/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.channel;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.vsockproxy.Role;
import io.vsockproxy.channel.ChannelPair.Connection;
import io.vsockproxy.posix.Errno;
import io.vsockproxy.testing.Await;
import io.vsockproxy.testing.Pattern;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.agrona.DirectBuffer;
import org.agrona.concurrent.UnsafeBuffer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Components and applications of the other side, joined by channels.
 */
@Timeout(value = 120, unit = TimeUnit.SECONDS)
class ChannelTest {
    @RegisterExtension
    static final ChannelPair PAIR = new ChannelPair();

    @ParameterizedTest
    @EnumSource
    void shouldTalkToAnApplicationOfTheOtherSide(final Role from) {
        final Connection connection = PAIR.toApplication(from);
        assertEquals(8, connection.component().offer("question"));
        assertEquals("question", connection.application().readText(8));
        connection.application().send("answer");
        assertEquals("answer", connection.component().readText(6));
    }

    @ParameterizedTest
    @EnumSource
    void shouldBeTheTargetOfANameThatTheOtherSideConnectsTo(final Role from) {
        final Connection connection = PAIR.fromApplication(from);
        connection.application().send("question");
        assertEquals("question", connection.component().readText(8));
        assertEquals(6, connection.component().offer("answer"));
        assertEquals("answer", connection.application().readText(6));
    }

    @ParameterizedTest
    @EnumSource
    void shouldJoinTwoComponents(final Role from) {
        final Component[] ends = PAIR.components(from);
        ends[0].offer("question");
        assertEquals("question", ends[1].readText(8));
        ends[1].offer("answer");
        assertEquals("answer", ends[0].readText(6));
        ends[0].close();
        assertEquals(0, ends[0].awaitClosed());
        assertEquals(0, ends[1].awaitClosed());
        assertEquals(Channel.CLOSED, ends[0].offer("more"));
    }

    @Test
    void shouldSayWhyAConnectionCannotBe() {
        PAIR.accepting(() -> null);
        assertEquals(Errno.ECONNREFUSED, failure(ChannelPair.COMPONENT));
        assertEquals(Errno.EACCES, failure("/nobody/allowed/this"));
        assertThrows(IllegalArgumentException.class, () -> PAIR.proxy(Role.GUEST).connect("", new Component(null)));
        assertThrows(
            IllegalArgumentException.class, () -> PAIR.proxy(Role.GUEST).connect("x".repeat(200), new Component(null)));
    }

    @Test
    void shouldRefuseWhenAnAcceptorThrows() {
        PAIR.accepting(() -> {
            throw new IllegalStateException("no");
        });
        assertEquals(Errno.ECONNREFUSED, failure(ChannelPair.COMPONENT));
        assertEquals(List.of("no"), PAIR.takeErrors().stream().map(Throwable::getMessage).toList());
    }

    @Test
    void shouldSendWhatIsClaimedAndCommitted() {
        final Connection connection = PAIR.toApplication(Role.GUEST);
        final ChannelClaim claim = new ChannelClaim();
        connection.component().onEngine(() -> {
            final Channel channel = connection.component().channel();
            assertEquals(100, channel.tryClaim(100, claim));
            assertEquals(100, claim.length());
            claim.abort();
            assertEquals(5, channel.tryClaim(5, claim));
            claim.buffer().putStringWithoutLengthAscii(0, "whole");
            claim.commit();
            assertFalse(claim.isOpen());
            assertEquals(channel.maxLength(), channel.tryClaim(channel.maxLength(), claim));
            claim.buffer().putStringWithoutLengthAscii(0, " part");
            claim.commit(5);
            return null;
        });
        assertEquals("whole part", connection.application().readText(10));
    }

    @Test
    void shouldAbortAClaimThatIsLeftOpenAndSaySo() {
        final Connection connection = PAIR.toApplication(Role.GUEST);
        final ChannelClaim claim = new ChannelClaim();
        connection.component().onEngine(() -> {
            final Channel channel = connection.component().channel();
            channel.tryClaim(10, claim);
            assertThrows(IllegalStateException.class, () -> channel.offer(new UnsafeBuffer(new byte[1]), 0, 1));
            assertThrows(IllegalStateException.class, channel::close);
            return null;
        });
        connection.component().offer("after");
        assertThrows(IllegalStateException.class, claim::commit);
        assertEquals("after", connection.application().readText(5));
        final List<Throwable> errors = PAIR.takeErrors();
        assertEquals(1, errors.size());
        assertInstanceOf(IllegalStateException.class, errors.get(0));
    }

    @Test
    void shouldRefuseCallsOnOtherThreads() {
        final Connection connection = PAIR.toApplication(Role.GUEST);
        final Channel channel = connection.component().channel();
        final IllegalStateException thrown = assertThrows(
            IllegalStateException.class, () -> channel.offer(new UnsafeBuffer(new byte[1]), 0, 1));
        assertTrue(thrown.getMessage().contains("vsock-proxy-GUEST"), thrown.getMessage());
        assertThrows(IllegalStateException.class, channel::close);
    }

    @Test
    void shouldRefuseMessagesThatAreTooLong() {
        final Connection connection = PAIR.toApplication(Role.GUEST);
        connection.component().onEngine(() -> {
            final Channel channel = connection.component().channel();
            final UnsafeBuffer buffer = new UnsafeBuffer(new byte[channel.maxLength() + 1]);
            assertThrows(IllegalArgumentException.class, () -> channel.offer(buffer, 0, buffer.capacity()));
            assertThrows(IndexOutOfBoundsException.class, () -> channel.offer(buffer, buffer.capacity(), 1));
            assertEquals(0, channel.offer(buffer, 0, 0));
            return null;
        });
    }

    @ParameterizedTest
    @EnumSource
    void shouldLoseNothingWhenClosedWithBytesUnderWay(final Role from) {
        final Connection connection = PAIR.toApplication(from);
        final byte[] bytes = Pattern.bytes(3, 5_000_000);
        connection.component().send(bytes, true);
        assertArrayEquals(bytes, connection.application().readToEnd());
        assertEquals(0, connection.component().awaitClosed());
        assertTrue(connection.component().writableCount() > 0, "never blocked");
    }

    @Test
    void shouldGiveEverythingToTheComponentBeforeTheEnd() {
        final Connection connection = PAIR.toApplication(Role.HOST);
        connection.component().takeUpTo(0);
        final byte[] bytes = Pattern.bytes(4, 200_000);
        connection.application().send(bytes);
        connection.application().close();
        Await.until(() -> !connection.component().onEngine(() -> connection.component().channel().isOpen()),
            () -> "the peer's close");
        assertFalse(connection.component().isClosed());
        connection.component().takeAll();
        assertEquals(0, connection.component().awaitClosed());
        assertArrayEquals(bytes, connection.component().read(bytes.length));
    }

    @Test
    void shouldEndOneDirectionBeforeTheOther() {
        final Connection connection = PAIR.toApplication(Role.GUEST);
        connection.component().onEngine(() -> {
            final Channel channel = connection.component().channel();
            channel.offer(new UnsafeBuffer("all".getBytes(java.nio.charset.StandardCharsets.US_ASCII)), 0, 3);
            channel.shutdownOutput();
            assertEquals(Channel.CLOSED, channel.offer(new UnsafeBuffer(new byte[1]), 0, 1));
            return null;
        });
        assertEquals("all", connection.application().readText(3));
        connection.application().expectEnd();
        connection.application().send("still");
        assertEquals("still", connection.component().readText(5));
        connection.application().shutdownWrite();
        assertEquals(0, connection.component().awaitClosed());
    }

    @Test
    void shouldSendAfterTheOtherSideHasEnded() {
        final Connection connection = PAIR.toApplication(Role.GUEST);
        connection.application().send("all");
        connection.application().shutdownWrite();
        connection.component().awaitInputEnded();
        assertEquals("all", connection.component().readText(3));
        assertEquals(5, connection.component().offer("still"));
        assertEquals("still", connection.application().readText(5));
        connection.component().close();
        connection.application().expectEnd();
    }

    @Test
    void shouldTellTheReasonOfAReset() {
        final Component[] ends = PAIR.components(Role.GUEST);
        ends[1].channel();
        ends[0].onEngine(() -> {
            ends[0].channel().reset(Errno.ETIMEDOUT);
            return null;
        });
        assertEquals(Errno.ETIMEDOUT, ends[0].awaitClosed());
        assertEquals(Errno.ETIMEDOUT, ends[1].awaitClosed());
    }

    @Test
    void shouldEndTheChannelOfAComponentThatThrowsAndNoOther() {
        expectOnlyItsChannelEnds(() -> {
            throw new IllegalStateException("broken");
        });
        expectOnlyItsChannelEnds(() -> {
            throw new AssertionError("broken");
        });
    }

    private static void expectOnlyItsChannelEnds(final Runnable thrower) {
        final Connection bystander = PAIR.toApplication(Role.GUEST);
        final Component broken = new Component(PAIR.proxy(Role.HOST)) {
            @Override
            public int onData(
                final Channel channel,
                final DirectBuffer buffer,
                final int offset,
                final int length,
                final PassedDescriptors passed) {
                thrower.run();
                return length;
            }
        };
        PAIR.accepting(() -> broken);
        final Component other = new Component(PAIR.proxy(Role.GUEST));
        PAIR.proxy(Role.GUEST).connect(ChannelPair.COMPONENT, other);
        PAIR.closing(other);
        other.offer("x");
        assertEquals(Errno.EIO, broken.awaitClosed());
        assertEquals(Errno.EIO, other.awaitClosed());
        assertEquals(List.of("broken"), PAIR.takeErrors().stream().map(Throwable::getMessage).toList());
        bystander.component().offer("fine");
        assertEquals("fine", bystander.application().readText(4));
    }

    private static int failure(final String path) {
        final Component component = new Component(PAIR.proxy(Role.GUEST));
        assertTrue(PAIR.proxy(Role.GUEST).connect(path, component));
        return component.awaitFailure();
    }
}
