/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.it;

import static io.vsockproxy.proto.FileDescriptor.Type.TRANSPORTABLE;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.vsockproxy.posix.Constants;
import io.vsockproxy.posix.Descriptors;
import io.vsockproxy.posix.Errno;
import io.vsockproxy.proto.FileDescriptor;
import io.vsockproxy.proto.VSockMessage;
import io.vsockproxy.testing.Background;
import io.vsockproxy.testing.Endpoint;
import io.vsockproxy.testing.Limits;
import io.vsockproxy.testing.Messages;
import io.vsockproxy.testing.NeedsUnixLink;
import io.vsockproxy.testing.Pattern;
import io.vsockproxy.testing.RawPeer;
import io.vsockproxy.testing.RunningHost;
import io.vsockproxy.testing.RunningHost.Connection;
import io.vsockproxy.testing.RunsOverVsock;
import java.io.ByteArrayOutputStream;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Readers that do not read: how much is queued for them, and that none of it is lost.
 */
@RunsOverVsock
@Timeout(value = 60, unit = TimeUnit.SECONDS)
class BackpressureTest {
    private static final int MAX_STREAM_QUEUE_LENGTH = 1 << 20;
    private static final int MAX_SESSION_QUEUE_LENGTH = 2 << 20;
    private static final int WINDOW_LENGTH = 64 << 10;
    /** What the sockets between two ends may hold besides. */
    private static final int SOCKETS_LENGTH = 4 << 20;
    private static final int PIECE_LENGTH = 20_000;

    @RegisterExtension
    static final RunningHost HOST = new RunningHost(Limits.with(Map.of(
        "maxStreamQueueLength", (long) MAX_STREAM_QUEUE_LENGTH,
        "maxSessionQueueLength", (long) MAX_SESSION_QUEUE_LENGTH,
        "inboundWindowLength", (long) WINDOW_LENGTH,
        "outboundLength", 512L << 10)));

    @Test
    void shouldStopReadingTheLinkForAStalledReaderAndLoseNothing() {
        final RawPeer guest = HOST.guest();
        final Connection connection = HOST.connect(guest);
        final byte[] piece = Pattern.bytes(1, PIECE_LENGTH);
        final byte[] frame = RawPeer.frame(Messages.data(connection.handle(), piece));
        final long total = guest.link().sendUntilStalled(frame, 100 << 20);
        assertTrue(
            total < MAX_STREAM_QUEUE_LENGTH + WINDOW_LENGTH + SOCKETS_LENGTH, "sent before it stalled: " + total);

        final CompletableFuture<Integer> pieces = Background.start(() -> readPieces(connection.application(), piece));
        int sent = guest.link().sendRest(frame, total);
        for (int i = 0; i < 100; i++) {
            guest.send(frame);
            sent++;
        }
        guest.send(Messages.close(connection.handle()));
        assertEquals(sent, Background.join(pieces));
    }

    @ParameterizedTest
    @EnumSource(value = FileDescriptor.Type.class, names = {"SOCKET_SEQPACKET", "SOCKET_DGRAM"})
    void shouldStopReadingTheLinkForAReaderThatTakesNoEmptyPackets(final FileDescriptor.Type type) {
        final RawPeer guest = HOST.guest();
        final Connection connection = HOST.connect(guest);
        guest.send(Messages.data(connection.handle(), "x", Messages.descriptor(type, -1)));
        final Endpoint packets = HOST.closing(connection.application().receive().only());
        final byte[] frame = RawPeer.frame(Messages.data(-1, ""));
        final long total = guest.link().sendUntilStalled(frame, 8 << 20);
        final CompletableFuture<Integer> received = Background.start(() -> {
            int count = 0;
            while (packets.receive().text().isEmpty()) {
                count++;
            }
            return count;
        });
        final int sent = guest.link().sendRest(frame, total);
        guest.send(Messages.data(-1, "the last"));
        assertEquals(sent, Background.join(received));
    }

    @Test
    @NeedsUnixLink
    void shouldStopReadingTheLinkForAReaderThatTakesNoDescriptors() {
        final RawPeer guest = HOST.guest();
        final Connection connection = HOST.connect(guest);
        // First the application's own socket is full.
        guest.send(Messages.data(connection.handle(), new byte[1 << 20]));
        guest.link().awaitTaken();
        final Endpoint event = HOST.closing(Endpoint.eventfd(0));
        final int before = Descriptors.count();
        final byte[] frame = RawPeer.frame(
            Messages.data(connection.handle(), "y", Messages.descriptor(TRANSPORTABLE, 0)));
        int sent = 0;
        boolean stalled = false;
        while (!stalled && sent < 5000) {
            final int result = guest.link().trySend(frame, 0, frame.length, event);
            if (result == -Errno.EAGAIN) {
                stalled = true;
            } else {
                assertEquals(frame.length, result);
                sent++;
            }
        }
        assertTrue(stalled, "frames sent: " + sent);
        final int held = Descriptors.count() - before;
        assertTrue(held < 2 * 253, "descriptors that the host holds: " + held);
        connection.application().readFully(1 << 20);
        for (int i = 0; i < sent; i++) {
            connection.application().receive(1).only().close();
        }
    }

    @Test
    void shouldBoundWhatWaitsForAllReadersTogether() {
        final RawPeer guest = HOST.guest();
        final Connection[] connections = new Connection[20];
        for (int i = 0; i < connections.length; i++) {
            connections[i] = HOST.connect(guest);
        }
        final byte[] piece = Pattern.bytes(2, 100_000);
        final VSockMessage[] round = new VSockMessage[connections.length];
        for (int i = 0; i < round.length; i++) {
            round[i] = Messages.data(connections[i].handle(), piece);
        }
        final byte[] frames = RawPeer.frames(round);
        final long total = guest.link().sendUntilStalled(frames, 200 << 20);
        final long inSockets = (long) connections.length * SOCKETS_LENGTH / 4 + SOCKETS_LENGTH;
        assertTrue(
            total < MAX_SESSION_QUEUE_LENGTH + WINDOW_LENGTH + inSockets, "sent before it stalled: " + total);
        final List<CompletableFuture<Integer>> readers = new ArrayList<>();
        for (final Connection connection : connections) {
            readers.add(Background.start(() -> readPieces(connection.application(), piece)));
        }
        final int rounds = guest.link().sendRest(frames, total);
        for (final Connection connection : connections) {
            guest.send(Messages.close(connection.handle()));
        }
        for (final CompletableFuture<Integer> reader : readers) {
            assertEquals(rounds, Background.join(reader));
        }
    }

    @Test
    void shouldDeliverWhatWaitsWhenThePeerClosesTheStream() {
        final RawPeer guest = HOST.guest();
        final Connection connection = HOST.connect(guest);
        final byte[] bytes = Pattern.bytes(3, 1_100_000);
        guest.send(RawPeer.frames(Messages.data(connection.handle(), bytes), Messages.close(connection.handle())));
        guest.link().awaitTaken();
        assertArrayEquals(bytes, connection.application().readToEnd());
    }

    @Test
    void shouldDeliverWhatWaitsWhenTheSessionEnds() {
        final RawPeer guest = HOST.guest();
        final Connection connection = HOST.connect(guest);
        final byte[] bytes = Pattern.bytes(4, 1_100_000);
        guest.send(Messages.data(connection.handle(), bytes));
        guest.close();
        HOST.log().awaitOne("session ended: ");
        assertArrayEquals(bytes, connection.application().readToEnd());
    }

    @Test
    void shouldDeliverWhatAnApplicationSentBeforeItClosedWithoutReading() {
        final RawPeer guest = HOST.guest();
        final Connection connection = HOST.connect(guest);
        final Connection hasty = HOST.connect(guest);
        // Its guest does not read, so the host cannot forward anything, and what the application has written waits in
        // its socket.
        connection.application().sendUntilStalled(new byte[PIECE_LENGTH], 100 << 20);
        final byte[] words = Pattern.bytes(5, 100_000);
        hasty.application().send(words);
        hasty.application().close();
        // And the host learns that nobody listens there before it has read that.
        guest.send(Messages.data(hasty.handle(), "anybody?"));
        guest.send(Messages.data(hasty.handle(), "anybody?"));
        guest.link().awaitTaken();

        final ByteArrayOutputStream passedOn = new ByteArrayOutputStream();
        VSockMessage message = guest.receive();
        while (!message.hasClose()) {
            if (message.getData().getHandle() == hasty.handle()) {
                passedOn.writeBytes(message.getData().getBlob().toByteArray());
            }
            message = guest.receive();
        }
        assertEquals(hasty.handle(), message.getClose().getHandle());
        assertArrayEquals(words, passedOn.toByteArray());
    }

    @Test
    void shouldStopReadingApplicationsWhileThePeerDoesNotReadAndLoseNothing() {
        final RawPeer guest = HOST.guest();
        final Connection connection = HOST.connect(guest);
        final byte[] piece = Pattern.bytes(6, PIECE_LENGTH);
        final long total = connection.application().sendUntilStalled(piece, 100 << 20);
        assertTrue(total < SOCKETS_LENGTH, "sent before it stalled: " + total);
        final CompletableFuture<Long> received = Background.start(() -> {
            long count = 0;
            for (VSockMessage next = guest.receive(); next.hasData(); next = guest.receive()) {
                for (final byte b : next.getData().getBlob()) {
                    assertEquals(piece[(int) (count++ % PIECE_LENGTH)], b);
                }
            }
            return count;
        });
        final int rounds = connection.application().sendRest(piece, total);
        connection.application().close();
        assertEquals((long) rounds * PIECE_LENGTH, Background.join(received));
    }

    @Test
    void shouldEndTheSessionOfAPeerThatAsksAndDoesNotRead() {
        final RawPeer guest = HOST.guest();
        final Connection connection = HOST.connect(guest);
        final byte[] requests = RawPeer.frames(
            Messages.fstatRequest(-1, 5), Messages.ftruncateRequest(-2, 5, 5), Messages.connectRequest(-3, "/no"),
            Messages.preadRequest(-4, 5, 5, 5), Messages.pwriteRequest(-5, 5, new byte[1], 5));
        int result = 0;
        long sent = 0;
        while (result != -Errno.EPIPE && result != -Errno.ECONNRESET) {
            assertTrue(sent < 100L << 20, "it goes on answering");
            result = guest.link().trySend(requests, 0, requests.length);
            if (result == -Errno.EAGAIN) {
                guest.link().await(Constants.EPOLLOUT, "the host to read on, or to end the session");
            } else if (result > 0 && result < requests.length) {
                guest.send(Arrays.copyOfRange(requests, result, requests.length));
            }
            sent += Math.max(0, result);
        }
        final String line = HOST.log().awaitOne("session ended: ");
        assertTrue(line.contains("does not read while it asks"), line);
        connection.application().expectEnd();
    }

    /** Reads to the end: how often {@code piece} came, which must be all that came. */
    private static int readPieces(final Endpoint application, final byte[] piece) {
        final byte[] all = application.readToEnd();
        assertEquals(0, all.length % piece.length);
        for (int i = 0; i < all.length; i += piece.length) {
            assertTrue(Arrays.equals(all, i, i + piece.length, piece, 0, piece.length), "piece at " + i);
        }
        return all.length / piece.length;
    }
}
