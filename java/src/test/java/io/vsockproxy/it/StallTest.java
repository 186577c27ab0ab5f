/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.it;

import static io.vsockproxy.proto.FileDescriptor.Type.TRANSPORTABLE;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.vsockproxy.posix.Descriptors;
import io.vsockproxy.proto.FileDescriptor;
import io.vsockproxy.testing.Await;
import io.vsockproxy.testing.Background;
import io.vsockproxy.testing.Endpoint;
import io.vsockproxy.testing.Limits;
import io.vsockproxy.testing.Messages;
import io.vsockproxy.testing.NeedsUnixLink;
import io.vsockproxy.testing.Pattern;
import io.vsockproxy.testing.RawPeer;
import io.vsockproxy.testing.Received;
import io.vsockproxy.testing.RunningHost;
import io.vsockproxy.testing.RunningHost.Connection;
import io.vsockproxy.testing.RunsOverVsock;
import io.vsockproxy.testing.SessionProbe;
import java.util.Arrays;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Readers that never read, and how long proxies wait for them.
 */
@RunsOverVsock
@Timeout(value = 60, unit = TimeUnit.SECONDS)
class StallTest {
    private static final int MAX_STREAM_QUEUE_LENGTH = 1 << 20;
    private static final int MAX_DESCRIPTORS_IN_FLIGHT = 10;
    /** More than a socket takes, which is 0.2 to 0.9 MB, by less than the queue's limit. */
    private static final int SOME = 1_200_000;
    /** More than the queue and a socket take. */
    private static final int TOO_MUCH = 8 << 20;

    /** A packet as short counts for 164 bytes: as many of them as would be a queue's length are more than fit. */
    private static final int SMALL = 100;
    /** Bytes; a socket has to lose twice as many such packets before epoll says that it takes more. */
    private static final int MAX_TAKEN = 100 * SMALL;

    private static final String CLOSED = " closed: its reader has taken nothing for ";
    private static final int STALL_TIMEOUT_MS = 1500;
    private static final int MANY = 40;
    /** What a socket takes when it has been full once. */
    private static final int SOCKETFUL = 900_000;

    @RegisterExtension
    static final RunningHost HOST = new RunningHost(Limits.with(Map.of(
        "maxStreamQueueLength", (long) MAX_STREAM_QUEUE_LENGTH,
        "maxSessionQueueLength", 4L * MAX_STREAM_QUEUE_LENGTH,
        "stallTimeoutNs", TimeUnit.MILLISECONDS.toNanos(STALL_TIMEOUT_MS),
        "maxDescriptorsInFlight", (long) MAX_DESCRIPTORS_IN_FLIGHT,
        "lingerTimeoutNs", TimeUnit.MILLISECONDS.toNanos(1500))));

    @Test
    void shouldCloseOnlyTheReaderThatHoldsUpTheLink() {
        final RawPeer guest = HOST.guest();
        final Connection slow = HOST.connect(guest);
        final Connection stalled = HOST.connect(guest);
        final byte[] some = Pattern.bytes(1, SOME);
        // Its reader has been slow for longer, but holds up no other stream.
        guest.send(Messages.data(slow.handle(), some));
        guest.link().awaitTaken();
        final CompletableFuture<Void> sender = Background.start(() -> {
            guest.send(Messages.data(stalled.handle(), new byte[TOO_MUCH]));
            guest.send(Messages.data(slow.handle(), "the last"));
            return null;
        });
        awaitClosed(guest, "SOCKET_STREAM", stalled.handle());
        Background.join(sender);
        assertArrayEquals(some, slow.application().readFully(SOME));
        assertEquals("the last", slow.application().readText(8));
        slow.application().send("and still there");
        assertEquals("and still there", guest.receive().getData().getBlob().toStringUtf8());
    }

    @Test
    void shouldReadOnWhenOneHasGoneAndOthersStillHoldTooMuch() {
        final RawPeer guest = HOST.guest();
        final Connection healthy = HOST.connect(guest);
        final Connection[] stalled = new Connection[4];
        for (int i = 0; i < stalled.length; i++) {
            stalled[i] = HOST.connect(guest);
            guest.send(Messages.data(stalled[i].handle(), new byte[SOCKETFUL]));
            guest.link().awaitTaken();
        }
        // Three together have more queued than half of the limit for all, and each less than the limit for one. The
        // fourth exceeds that.
        for (int i = 0; i < 3; i++) {
            guest.send(Messages.data(stalled[i].handle(), new byte[800_000]));
            guest.link().awaitTaken();
        }
        final CompletableFuture<Void> sender = Background.start(() -> {
            guest.send(Messages.data(stalled[3].handle(), new byte[3 << 20]));
            guest.send(Messages.data(healthy.handle(), "at last"));
            return null;
        });
        assertEquals("at last", healthy.application().readText(7));
        Background.join(sender);
    }

    @Test
    void shouldNotLetManyStalledReadersHoldUpTheLinkOneAfterTheOther() {
        final RawPeer guest = HOST.guest();
        final Connection healthy = HOST.connect(guest);
        final Connection[] stalled = new Connection[MANY];
        for (int i = 0; i < MANY; i++) {
            stalled[i] = HOST.connect(guest);
        }
        // To as many streams as necessary until the link is not read any more, which depends on their sockets' buffers.
        byte[] frame = {};
        int sent = 0;
        final SessionProbe probe = new SessionProbe(HOST.proxy());
        boolean isBlocked = false;
        for (int i = 0; !isBlocked; i++) {
            frame = RawPeer.frame(Messages.data(stalled[i].handle(), new byte[SOME]));
            for (sent = 0; sent < frame.length && !isBlocked;) {
                final int result = guest.link().trySend(frame, sent, frame.length - sent);
                sent += Math.max(0, result);
                isBlocked = result < 0 && probe.isBlocked();
            }
        }
        final byte[] rest = Arrays.copyOfRange(frame, sent, frame.length);
        final CompletableFuture<Void> sender = Background.start(() -> {
            guest.send(rest);
            guest.send(Messages.data(healthy.handle(), "at last"));
            return null;
        });
        // One is closed after one timeout, and all the others together after two.
        final long[] round = {0, 0, 0};
        Await.until(() -> {
            final int closed = HOST.log().linesWith(CLOSED).size();
            final long nowMs = TimeUnit.NANOSECONDS.toMillis(System.nanoTime());
            if (closed > round[0]) {
                round[1] += round[1] == 0 || nowMs - round[2] > STALL_TIMEOUT_MS / 2 ? 1 : 0;
                round[0] = closed;
                round[2] = nowMs;
            }
            return healthy.application().isReadable();
        }, () -> "what is behind what stalled readers were sent");
        assertEquals("at last", healthy.application().readText(7));
        Background.join(sender);
        assertTrue(round[0] > 2, () -> "closed=" + round[0]);
        assertTrue(round[1] <= 2, () -> "closed=" + round[0] + ", in rounds=" + round[1]);
    }

    @Test
    void shouldStopReadingTheLinkWhileManyDescriptorsWaitAndThenCloseTheirReader() {
        final RawPeer guest = HOST.guest();
        final Connection stalled = HOST.connect(guest);
        final Connection other = HOST.connect(guest);
        // First the application's own socket is full.
        guest.send(Messages.data(stalled.handle(), new byte[SOME]));
        guest.link().awaitTaken();
        final Endpoint event = HOST.closing(Endpoint.eventfd(0));
        final int before = Descriptors.count();
        for (int i = 0; i < 2 * MAX_DESCRIPTORS_IN_FLIGHT; i++) {
            guest.send(Messages.data(stalled.handle(), "y", Messages.descriptor(TRANSPORTABLE, 0)), event);
        }
        guest.send(Messages.data(other.handle(), "later"));
        awaitClosed(guest, "SOCKET_STREAM", stalled.handle());
        assertEquals("later", other.application().readText(5));
        // One of them was the application's connection.
        Await.untilEqual(before - 1, Descriptors::count, "descriptors when those that waited are closed");
    }

    @Test
    @NeedsUnixLink
    void shouldCloseAStreamToWhichManyDescriptorsComeAndNoByte() {
        final RawPeer guest = HOST.guest();
        final Connection waiting = HOST.connect(guest);
        final Connection other = HOST.connect(guest);
        final Endpoint event = HOST.closing(Endpoint.eventfd(0));
        final int before = Descriptors.count();
        for (int i = 0; i < 2 * MAX_DESCRIPTORS_IN_FLIGHT; i++) {
            guest.send(Messages.data(waiting.handle(), "", Messages.descriptor(TRANSPORTABLE, 0)), event);
        }
        guest.send(Messages.data(other.handle(), "later"));
        awaitClosed(guest, "SOCKET_STREAM", waiting.handle());
        assertEquals("later", other.application().readText(5));
        // One of them was the application's connection.
        Await.untilEqual(before - 1, Descriptors::count, "descriptors when those that waited are closed");
    }

    @Test
    void shouldCloseAReaderWithLittleQueuedWhenItBlocksALongPacket() {
        final RawPeer guest = HOST.guest();
        final Connection connection = HOST.connect(guest);
        guest.send(Messages.data(
            connection.handle(), "x", Messages.descriptor(FileDescriptor.Type.SOCKET_SEQPACKET, -2)));
        HOST.closing(connection.application().receive().only());
        // More than a socket takes, and less than half of what may be queued.
        for (int i = 0; i < 40; i++) {
            guest.send(Messages.data(-2, new byte[10_000]));
        }
        final CompletableFuture<Void> sender = Background.start(() -> {
            guest.send(Messages.data(-2, new byte[MAX_STREAM_QUEUE_LENGTH]));
            guest.send(Messages.data(connection.handle(), "at last"));
            return null;
        });
        awaitClosed(guest, "SOCKET_SEQPACKET", -2);
        assertEquals("at last", connection.application().readText(7));
        Background.join(sender);
    }

    @Test
    void shouldCloseAReaderWithFewDescriptorsQueuedWhenItBlocksAMessageWithMany() {
        final RawPeer guest = HOST.guest();
        final Connection stalled = HOST.connect(guest);
        final Connection other = HOST.connect(guest);
        guest.send(Messages.data(stalled.handle(), new byte[SOME]));
        guest.link().awaitTaken();
        final Endpoint event = HOST.closing(Endpoint.eventfd(0));
        guest.send(Messages.data(stalled.handle(), "y", events(3)), event, event, event);
        final Endpoint[] many = new Endpoint[MAX_DESCRIPTORS_IN_FLIGHT - 2];
        Arrays.fill(many, event);
        guest.send(Messages.data(other.handle(), "later", events(many.length)), many);
        awaitClosed(guest, "SOCKET_STREAM", stalled.handle());
        final Received received = other.application().receive();
        received.descriptors().forEach(HOST::closing);
        assertEquals("later", received.text());
        assertEquals(many.length, received.descriptors().size());
    }

    @Test
    void shouldNotCloseAReaderThatTakesSomethingNowAndThen() {
        final RawPeer guest = HOST.guest();
        final Connection connection = HOST.connect(guest);
        final byte[] much = Pattern.bytes(3, 3 << 20);
        final CompletableFuture<Void> sender = Background.start(() -> {
            guest.send(Messages.data(connection.handle(), much));
            guest.send(Messages.close(connection.handle()));
            return null;
        });
        final byte[] read = new byte[much.length];
        // Longer than the time that a reader may take nothing.
        final int rounds = 16;
        for (int i = 0; i < rounds; i++) {
            pause(150);
            final byte[] part = connection.application().readFully(much.length / rounds);
            System.arraycopy(part, 0, read, i * part.length, part.length);
        }
        assertArrayEquals(much, read);
        connection.application().expectEnd();
        Background.join(sender);
        assertEquals(0, HOST.log().linesWith(" closed").size(), () -> HOST.log().linesWith("").toString());
    }

    /** As long as that makes no room in the kernel for more, it is nothing. */
    @ParameterizedTest
    @EnumSource(value = FileDescriptor.Type.class, names = {"SOCKET_STREAM", "FIFO_READ", "SOCKET_DGRAM",
        "SOCKET_SEQPACKET"})
    void shouldCloseAReaderThatTakesAlmostNothingNowAndThen(final FileDescriptor.Type type) {
        final boolean packets =
            type == FileDescriptor.Type.SOCKET_DGRAM || type == FileDescriptor.Type.SOCKET_SEQPACKET;
        final RawPeer guest = HOST.guest();
        final Connection connection = HOST.connect(guest);
        guest.send(Messages.data(connection.handle(), "x", Messages.descriptor(type, -2)));
        final Endpoint reader = HOST.closing(connection.application().receive().only());
        final CompletableFuture<Void> sender = Background.start(() -> {
            final byte[] message = RawPeer.frame(Messages.data(-2, new byte[packets ? SMALL : TOO_MUCH]));
            for (int i = 0; i < (packets ? MAX_STREAM_QUEUE_LENGTH / SMALL : 1); i++) {
                guest.send(message);
            }
            guest.send(Messages.data(connection.handle(), "at last"));
            return null;
        });
        int taken = 0;
        while (HOST.log().linesWith(CLOSED).isEmpty()) {
            pause(STALL_TIMEOUT_MS / 10);
            taken += reader.readFully(packets ? SMALL : 1).length;
            assertTrue(taken < MAX_TAKEN, "still not closed, taken=" + taken);
        }
        assertEquals(-2, guest.receive().getClose().getHandle());
        assertEquals("at last", connection.application().readText(7));
        Background.join(sender);
    }

    @Test
    void shouldGiveUpOnTheReaderOfAStreamThatThePeerHasClosed() {
        final RawPeer guest = HOST.guest();
        final Connection connection = HOST.connect(guest);
        guest.send(RawPeer.frames(
            Messages.data(connection.handle(), new byte[SOME]), Messages.close(connection.handle())));
        final String line = HOST.log().awaitOne("that its reader did not take in 1500 ms");
        assertTrue(line.contains("SOCKET_STREAM " + connection.handle() + " closed with "), line);
        assertTrue(connection.application().readToEnd().length < SOME);
    }

    @Test
    void shouldGiveUpOnReadersOfASessionThatHasEnded() {
        final RawPeer guest = HOST.guest();
        final Connection connection = HOST.connect(guest);
        guest.send(Messages.data(connection.handle(), new byte[SOME]));
        guest.link().awaitTaken();
        guest.close();
        HOST.log().awaitOne("that its reader did not take in 1500 ms");
        assertTrue(connection.application().readToEnd().length < SOME);
    }

    /** Waits until the only reader closed so far is that of the stream with this handle, and the guest told of it. */
    private static void awaitClosed(final RawPeer guest, final String kind, final long handle) {
        final String line = HOST.log().awaitOne(CLOSED);
        assertTrue(line.contains(kind + " " + handle + CLOSED), line);
        assertEquals(handle, guest.receive().getClose().getHandle());
    }

    private static FileDescriptor[] events(final int count) {
        final FileDescriptor[] events = new FileDescriptor[count];
        Arrays.fill(events, Messages.descriptor(TRANSPORTABLE, 0));
        return events;
    }

    /** A reader's own pace; nothing is waited for. */
    private static void pause(final long ms) {
        try {
            Thread.sleep(ms);
        } catch (final InterruptedException e) {
            throw new AssertionError(e);
        }
    }
}
