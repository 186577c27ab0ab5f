/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.it;

import static io.vsockproxy.proto.FileDescriptor.Type.TRANSPORTABLE;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.vsockproxy.testing.Background;
import io.vsockproxy.testing.Endpoint;
import io.vsockproxy.testing.Messages;
import io.vsockproxy.testing.NeedsUnixLink;
import io.vsockproxy.testing.Pattern;
import io.vsockproxy.testing.RawPeer;
import io.vsockproxy.testing.Received;
import io.vsockproxy.testing.RunningHost;
import io.vsockproxy.testing.RunningHost.Connection;
import io.vsockproxy.testing.RunsOverVsock;
import io.vsockproxy.testing.Seeds;
import java.io.ByteArrayOutputStream;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;

/**
 * Blobs that are large enough to be spliced from the link to their application, among others that are not.
 */
@RunsOverVsock
@Timeout(value = 60, unit = TimeUnit.SECONDS)
class LargeBlobsTest {
    private static final int LARGE = 100_000;

    @RegisterExtension
    static final RunningHost HOST = new RunningHost();

    @Test
    void shouldKeepEveryByteInItsPlaceAmongFramesOfAllSizesHoweverTheyAreCut() {
        final Random random = Seeds.random("large blobs");
        final RawPeer guest = HOST.guest();
        final Connection[] connections = {HOST.connect(guest), HOST.connect(guest), HOST.connect(guest)};
        final ByteArrayOutputStream[] expected = new ByteArrayOutputStream[connections.length];
        Arrays.setAll(expected, i -> new ByteArrayOutputStream());
        final ByteArrayOutputStream frames = new ByteArrayOutputStream();
        for (int i = 0; i < 400; i++) {
            final int to = random.nextInt(4) == 0 ? random.nextInt(connections.length) : i / 20 % connections.length;
            final byte[] blob = Pattern.bytes(i, length(random));
            expected[to].writeBytes(blob);
            frames.writeBytes(RawPeer.frame(Messages.data(connections[to].handle(), blob)));
        }
        final List<CompletableFuture<byte[]>> readers = new ArrayList<>();
        for (int i = 0; i < connections.length; i++) {
            final Connection connection = connections[i];
            final int length = expected[i].size();
            readers.add(Background.start(() -> connection.application().readFully(length)));
        }
        final byte[] bytes = frames.toByteArray();
        int sent = 0;
        while (sent < bytes.length) {
            final int piece = Math.min(bytes.length - sent, 1 + length(random));
            guest.send(Arrays.copyOfRange(bytes, sent, sent + piece));
            sent += piece;
        }
        for (int i = 0; i < connections.length; i++) {
            assertArrayEquals(expected[i].toByteArray(), Background.join(readers.get(i)), "stream " + i);
        }
    }

    @Test
    @NeedsUnixLink
    void shouldLoseNoDescriptorThatComesRightAfterALargeBlob() {
        final RawPeer guest = HOST.guest();
        final Connection connection = HOST.connect(guest);
        final Endpoint event = HOST.closing(Endpoint.eventfd(0));
        for (int i = 0; i < 20; i++) {
            final byte[] blob = Pattern.bytes(i, LARGE);
            final CompletableFuture<Void> sender = Background.start(() -> {
                guest.send(Messages.data(connection.handle(), blob));
                guest.send(Messages.data(connection.handle(), "y", Messages.descriptor(TRANSPORTABLE, 0)), event);
                return null;
            });
            assertArrayEquals(blob, connection.application().readFully(LARGE));
            final Received received = connection.application().receive();
            assertEquals("y", received.text());
            received.only().close();
            Background.join(sender);
        }
    }

    @Test
    void shouldQueueWhatASlowReaderLeavesOfALargeBlobAndLetOthersGoOn() {
        final RawPeer guest = HOST.guest();
        final Connection slow = HOST.connect(guest);
        final Connection other = HOST.connect(guest);
        final int count = 30;
        final CompletableFuture<Void> sender = Background.start(() -> {
            for (int i = 0; i < count; i++) {
                guest.send(Messages.data(slow.handle(), Pattern.bytes(i, LARGE)));
                guest.send(Messages.data(other.handle(), Pattern.bytes(-i, LARGE)));
            }
            return null;
        });
        for (int i = 0; i < count; i++) {
            assertArrayEquals(Pattern.bytes(-i, LARGE), other.application().readFully(LARGE), "other, blob " + i);
        }
        for (int i = 0; i < count; i++) {
            assertArrayEquals(Pattern.bytes(i, LARGE), slow.application().readFully(LARGE), "slow, blob " + i);
        }
        Background.join(sender);
    }

    @Test
    void shouldEndOnlyTheStreamWhoseReaderGoesInTheMiddleOfALargeBlob() {
        final RawPeer guest = HOST.guest();
        final Connection leaving = HOST.connect(guest);
        final Connection other = HOST.connect(guest);
        guest.send(Messages.data(leaving.handle(), Pattern.bytes(1, LARGE)));
        final byte[] frame = RawPeer.frame(Messages.data(leaving.handle(), Pattern.bytes(2, LARGE)));
        guest.send(Arrays.copyOf(frame, LARGE / 2));
        leaving.application().readFully(LARGE + 1000);
        leaving.application().close();
        guest.send(Arrays.copyOfRange(frame, LARGE / 2, frame.length));
        guest.send(Messages.data(other.handle(), Pattern.bytes(3, LARGE)));
        assertArrayEquals(Pattern.bytes(3, LARGE), other.application().readFully(LARGE));
        assertEquals(leaving.handle(), guest.receive().getClose().getHandle());
    }

    @Test
    void shouldDeliverTheReceivedPartOfALargeBlobWhenTheLinkEnds() {
        final RawPeer guest = HOST.guest();
        final Connection connection = HOST.connect(guest);
        guest.send(Messages.data(connection.handle(), Pattern.bytes(1, LARGE)));
        final byte[] blob = Pattern.bytes(2, LARGE);
        final byte[] frame = RawPeer.frame(Messages.data(connection.handle(), blob));
        guest.send(Arrays.copyOf(frame, LARGE / 2));
        guest.close();
        assertArrayEquals(Pattern.bytes(1, LARGE), connection.application().readFully(LARGE));
        final byte[] rest = connection.application().readToEnd();
        assertTrue(rest.length > 0, "nothing of the unfinished blob");
        assertArrayEquals(Arrays.copyOf(blob, rest.length), rest);
    }

    /** Mostly of a kind: few bytes, some thousand, or enough to be large. */
    private static int length(final Random random) {
        return switch (random.nextInt(3)) {
            case 0 -> 1 + random.nextInt(100);
            case 1 -> 1 + random.nextInt(20_000);
            default -> 16_000 + random.nextInt(150_000);
        };
    }
}
