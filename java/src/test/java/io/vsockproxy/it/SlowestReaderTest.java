/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.it;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.vsockproxy.proto.FileDescriptor;
import io.vsockproxy.testing.Await;
import io.vsockproxy.testing.Background;
import io.vsockproxy.testing.Limits;
import io.vsockproxy.testing.Messages;
import io.vsockproxy.testing.Pattern;
import io.vsockproxy.testing.RawPeer;
import io.vsockproxy.testing.Received;
import io.vsockproxy.testing.RunningHost;
import io.vsockproxy.testing.RunningHost.Connection;
import io.vsockproxy.testing.RunsOverVsock;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;

/**
 * The reader that has been slow for longest, of many. Unlike in {@link StallTest}, the others must begin to read before
 * the next of them is closed, so the timeout is longer than a busy machine keeps their threads waiting.
 */
@RunsOverVsock
@Timeout(value = 60, unit = TimeUnit.SECONDS)
class SlowestReaderTest {
    /** More than a socket takes, which is 0.2 to 0.9 MB, by less than the queue's limit. */
    private static final int SOME = 1_200_000;
    private static final long PASSED_HANDLE = -10;
    private static final long MAX_STREAM_QUEUE_LENGTH = 1 << 20;

    @RegisterExtension
    static final RunningHost HOST = new RunningHost(Limits.with(Map.of(
        "maxStreamQueueLength", MAX_STREAM_QUEUE_LENGTH,
        "maxSessionQueueLength", 4 * MAX_STREAM_QUEUE_LENGTH,
        "stallTimeoutNs", TimeUnit.SECONDS.toNanos(5))));

    @Test
    void shouldBeTheOnlyOneToGoWhenAllTogetherHoldUpTheLink() {
        final RawPeer guest = HOST.guest();
        // Waits for longest of all, but for a byte of the guest, not for its reader.
        final Connection expecting = HOST.connect(guest);
        guest.send(Messages.data(
            expecting.handle(), "", Messages.descriptor(FileDescriptor.Type.SOCKET_STREAM, PASSED_HANDLE)));
        final Connection[] connections = new Connection[24];
        for (int i = 0; i < connections.length; i++) {
            connections[i] = HOST.connect(guest);
        }
        final byte[] some = Pattern.bytes(2, SOME);
        final CompletableFuture<Void> sender = Background.start(() -> {
            for (int i = 0; i < connections.length; i++) {
                guest.send(Messages.data(connections[i].handle(), some));
            }
            return null;
        });
        final String prefix = "SOCKET_STREAM ";
        Await.until(() -> !HOST.log().linesWith(" closed: its reader").isEmpty(), () -> "a stalled reader to go");
        final String line = HOST.log().linesWith(" closed: its reader").get(0);
        assertTrue(line.contains(prefix + connections[0].handle() + " closed"), line);
        final List<CompletableFuture<Integer>> readers = new ArrayList<>();
        for (int i = 1; i < connections.length; i++) {
            final Connection connection = connections[i];
            readers.add(Background.start(() -> connection.application().readFully(SOME).length));
        }
        Background.joinAll(readers);
        Background.join(sender);
        guest.send(Messages.data(expecting.handle(), "!"));
        final Received received = expecting.application().receive();
        assertEquals("!", received.text());
        HOST.closing(received.only());
        assertEquals(1, HOST.log().linesWith(" closed: its reader").size(), () -> HOST.log().linesWith("").toString());
    }
}
