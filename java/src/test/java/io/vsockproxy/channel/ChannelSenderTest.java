/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.channel;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.vsockproxy.Role;
import io.vsockproxy.channel.ChannelPair.Connection;
import io.vsockproxy.config.Extensions;
import io.vsockproxy.posix.Errno;
import io.vsockproxy.testing.Await;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.agrona.concurrent.UnsafeBuffer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;

/**
 * Sending from threads other than the engine's.
 */
@Timeout(value = 120, unit = TimeUnit.SECONDS)
class ChannelSenderTest {
    @RegisterExtension
    static final ChannelPair PAIR = new ChannelPair();

    @RegisterExtension
    static final ChannelPair OLD_PAIR = new ChannelPair(Extensions.OFF);

    private static final int CAPACITY = 4096;
    private static final long PAUSE_NS = 100_000;
    private static final int THREADS = 3;
    private static final int MESSAGES = 20_000;
    private static final int MESSAGE_LENGTH = 8;

    @Test
    void shouldKeepTheOrderOfEachThread() {
        expectOrder(PAIR);
    }

    @Test
    void shouldKeepTheOrderOfEachThreadWithoutTheExtension() {
        expectOrder(OLD_PAIR);
    }

    private static void expectOrder(final ChannelPair pair) {
        final Connection connection = pair.toApplication(Role.GUEST);
        final ChannelSender sender = sender(connection.component());
        final CompletableFuture<?>[] threads = new CompletableFuture<?>[THREADS];
        for (int i = 0; i < THREADS; i++) {
            final int number = i;
            threads[i] = CompletableFuture.runAsync(() -> send(sender, number), command -> new Thread(command).start());
        }
        final int[] next = new int[THREADS];
        for (int i = 0; i < THREADS * MESSAGES; i++) {
            final UnsafeBuffer message = new UnsafeBuffer(connection.application().readFully(MESSAGE_LENGTH));
            assertEquals(next[message.getInt(0)]++, message.getInt(Integer.BYTES));
        }
        CompletableFuture.allOf(threads).join();
    }

    /** Every other message by a claim, the rest by an offer. */
    private static void send(final ChannelSender sender, final int number) {
        final ChannelClaim claim = new ChannelClaim();
        final UnsafeBuffer message = new UnsafeBuffer(new byte[MESSAGE_LENGTH]);
        for (int i = 0; i < MESSAGES; i++) {
            if (i % 2 == 0) {
                while (sender.tryClaim(MESSAGE_LENGTH + 10, claim) == Channel.WOULD_BLOCK) {
                    LockSupport.parkNanos(PAUSE_NS);
                }
                claim.buffer().putInt(0, number);
                claim.buffer().putInt(Integer.BYTES, i);
                claim.commit(MESSAGE_LENGTH);
            } else {
                message.putInt(0, number);
                message.putInt(Integer.BYTES, i);
                while (sender.offer(message, 0, MESSAGE_LENGTH) == Channel.WOULD_BLOCK) {
                    LockSupport.parkNanos(PAUSE_NS);
                }
            }
        }
    }

    @Test
    void shouldResumeOnTheEnginesThreadEvenIfTheCommandQueueIsFull() {
        final Connection connection = PAIR.toApplication(Role.HOST);
        final Component component = connection.component();
        final ChannelSender sender = sender(component);
        component.takeUpTo(0);
        connection.application().send("later");
        Await.until(() -> component.onEngine(() -> component.channel().isPaused()), () -> "nothing to be taken");
        component.takeUpTo(Long.MAX_VALUE);
        component.onEngine(() -> {
            component.useUpCommands();
            sender.resume();
            return null;
        });
        assertEquals("later", component.readText(5));
    }

    @Test
    void shouldSendEverythingOfferedBeforeItIsClosed() {
        final Connection connection = PAIR.toApplication(Role.HOST);
        final ChannelSender sender = sender(connection.component());
        final UnsafeBuffer text = new UnsafeBuffer("last words".getBytes(java.nio.charset.StandardCharsets.US_ASCII));
        assertEquals(10, sender.offer(text, 0, 10));
        sender.close();
        assertFalse(sender.isOpen());
        assertEquals(Channel.CLOSED, sender.offer(text, 0, 10));
        assertEquals("last words", connection.application().readText(10));
        connection.application().expectEnd();
        assertEquals(0, connection.component().awaitClosed());
    }

    @Test
    void shouldEndSendingAfterEverythingOfferedBeforeAndGoOnReceiving() {
        final Connection connection = PAIR.toApplication(Role.HOST);
        final ChannelSender sender = sender(connection.component());
        final UnsafeBuffer text = new UnsafeBuffer("last words".getBytes(java.nio.charset.StandardCharsets.US_ASCII));
        assertEquals(10, sender.offer(text, 0, 10));
        sender.shutdownOutput();
        assertEquals(Channel.CLOSED, sender.offer(text, 0, 10));
        assertEquals("last words", connection.application().readText(10));
        connection.application().expectEnd();
        connection.application().send("still heard");
        assertEquals("still heard", connection.component().readText(11));
        assertTrue(sender.isOpen());
    }

    @Test
    void shouldAcceptNothingOnceTheApplicationReceivesNoMore() {
        final Connection connection = PAIR.toApplication(Role.HOST);
        final Component component = connection.component();
        final ChannelSender sender = sender(component);
        final UnsafeBuffer text = new UnsafeBuffer(new byte[MESSAGE_LENGTH]);
        connection.application().shutdownRead();
        Await.until(
            () -> component.onEngine(() -> component.channel().offer(text, 0, MESSAGE_LENGTH) == Channel.CLOSED),
            () -> "the engine to be told");
        assertEquals(Channel.CLOSED, sender.offer(text, 0, MESSAGE_LENGTH));
        assertEquals(Channel.CLOSED, sender.tryClaim(MESSAGE_LENGTH, new ChannelClaim()));
        assertTrue(sender.isOpen());
        connection.application().send("still");
        assertEquals("still", component.readText(5));
    }

    @Test
    void shouldAcceptNothingOnceTheApplicationHasClosedAlthoughItsLastBytesAreStillToBeTaken() {
        final Connection connection = PAIR.toApplication(Role.HOST);
        final Component component = connection.component();
        final ChannelSender sender = sender(component);
        final UnsafeBuffer text = new UnsafeBuffer(new byte[MESSAGE_LENGTH]);
        component.takeUpTo(0);
        connection.application().send("later");
        Await.until(() -> component.onEngine(() -> component.channel().isPaused()), () -> "nothing to be taken");
        connection.application().close();
        Await.until(
            () -> component.onEngine(() -> component.channel().offer(text, 0, MESSAGE_LENGTH) == Channel.CLOSED),
            () -> "the engine to be told");
        assertFalse(component.isClosed());
        assertEquals(Channel.CLOSED, sender.offer(text, 0, MESSAGE_LENGTH));
        component.takeUpTo(Long.MAX_VALUE);
        sender.resume();
        assertEquals("later", component.readText(5));
        component.awaitClosed();
    }

    @Test
    void shouldCloseOnceAnOpenClaimIsGivenUp() {
        final Connection connection = PAIR.toApplication(Role.HOST);
        final ChannelSender sender = sender(connection.component());
        final ChannelClaim claim = closeWithAnOpenClaim(sender);
        // The engine has checked the ring by now.
        connection.component().onEngine(() -> null);
        assertFalse(connection.component().isClosed());
        claim.abort();
        assertEquals(0, connection.component().awaitClosed());
        connection.application().expectEnd();
    }

    @Test
    void shouldResetAChannelWithAClaimThatIsNeverGivenUp() {
        final Connection connection = PAIR.toApplication(Role.HOST);
        final Component component = connection.component();
        final ChannelSender sender = sender(component);
        final ChannelClaim claim = closeWithAnOpenClaim(sender);
        component.onEngine(() -> {
            component.channel().reset(Errno.ETIMEDOUT);
            return null;
        });
        assertEquals(Errno.ETIMEDOUT, component.awaitClosed());
        connection.application().expectEnd();
        claim.commit();
        assertEquals(Channel.CLOSED, sender.tryClaim(MESSAGE_LENGTH, claim));
    }

    @Test
    void shouldEndAChannelWithAClaimThatStaysOpenWhenTheOtherSideEnds() {
        final Connection connection = PAIR.toApplication(Role.HOST);
        final ChannelSender sender = sender(connection.component());
        final ChannelClaim claim = closeWithAnOpenClaim(sender);
        connection.application().close();
        connection.component().awaitClosed();
        claim.abort();
        assertEquals(Channel.CLOSED, sender.tryClaim(MESSAGE_LENGTH, claim));
    }

    @Test
    void shouldTakeNoMoreWhenTheRingIsFullAndNobodyReads() {
        final Connection connection = PAIR.toApplication(Role.HOST);
        final ChannelSender sender = sender(connection.component());
        final UnsafeBuffer bytes = new UnsafeBuffer(new byte[sender.maxLength()]);
        assertThrows(IllegalArgumentException.class, () -> sender.offer(bytes, 0, sender.maxLength() + 1));
        // Offers go on until none has been accepted for longer than any application's buffer would allow.
        int sent = 0;
        for (int refused = 0; refused < 1000;) {
            if (sender.offer(bytes, 0, bytes.capacity()) < 0) {
                refused++;
                LockSupport.parkNanos(PAUSE_NS);
            } else {
                refused = 0;
                sent++;
            }
        }
        for (int i = 0; i < sent; i++) {
            connection.application().readFully(bytes.capacity());
        }
        assertEquals(1, connection.component().offer("x"));
        assertEquals("x", connection.application().readText(1));
    }

    private static ChannelClaim closeWithAnOpenClaim(final ChannelSender sender) {
        final ChannelClaim claim = new ChannelClaim();
        assertEquals(MESSAGE_LENGTH, sender.tryClaim(MESSAGE_LENGTH, claim));
        sender.close();
        return claim;
    }

    private static ChannelSender sender(final Component component) {
        return component.onEngine(() -> component.channel().sender(CAPACITY));
    }
}
