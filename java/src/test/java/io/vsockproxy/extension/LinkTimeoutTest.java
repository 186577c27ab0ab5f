/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.extension;

import static org.junit.jupiter.api.Assertions.assertTrue;

import io.vsockproxy.config.Extensions;
import io.vsockproxy.config.SessionLimits;
import io.vsockproxy.posix.Constants;
import io.vsockproxy.posix.Errno;
import io.vsockproxy.testing.Background;
import io.vsockproxy.testing.RawPeer;
import io.vsockproxy.testing.RunningHost;
import io.vsockproxy.testing.RunningHost.Connection;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;

/**
 * A peer, with the extension or without, that reads nothing from the link.
 */
@Timeout(value = 60, unit = TimeUnit.SECONDS)
class LinkTimeoutTest {
    /** Longer than a busy machine keeps a peer from reading that wants to. */
    private static final long TIMEOUT_NS = TimeUnit.MILLISECONDS.toNanos(1500);

    @RegisterExtension
    static final RunningHost HOST =
        new RunningHost(SessionLimits.DEFAULTS, new Extensions(false, 1, 1, 0, TIMEOUT_NS));

    @Test
    void shouldEndTheSessionOfAPeerThatReadsNothing() {
        final RawPeer guest = HOST.guest();
        final Connection connection = HOST.connect(guest);
        // Writes until the proxy and the sockets are full; then the application finds its connection closed.
        final byte[] piece = new byte[100_000];
        int result = 0;
        while (result >= 0 || result == -Errno.EAGAIN) {
            result = connection.application().trySend(piece, 0, piece.length);
            if (result == -Errno.EAGAIN) {
                connection.application().await(Constants.EPOLLOUT, "the end of the session");
            }
        }
        final String line = HOST.log().awaitOne("session ended: ");
        assertTrue(line.contains("the peer has taken nothing for "), line);
    }

    @Test
    void shouldKeepTheSessionOfAPeerWhenThereIsNothingToSendToIt() throws InterruptedException {
        final RawPeer guest = HOST.guest();
        final Connection connection = HOST.connect(guest);
        // A fixed wait, because the test is that nothing happens in that time.
        Thread.sleep(TimeUnit.NANOSECONDS.toMillis(2 * TIMEOUT_NS));
        connection.application().send("x");
        assertTrue(guest.receive().hasData());
    }

    @Test
    void shouldKeepTheSessionOfAPeerThatReadsLittle() throws InterruptedException {
        final RawPeer guest = HOST.guest();
        final Connection connection = HOST.connect(guest);
        final CompletableFuture<Void> sent = Background.start(() -> {
            connection.application().send(new byte[6 << 20]);
            return null;
        });
        // Reads a little in each sixth of a timeout, for the time of two timeouts.
        for (int i = 0; i < 12; i++) {
            guest.link().readFully(512 << 10);
            Thread.sleep(TimeUnit.NANOSECONDS.toMillis(TIMEOUT_NS / 6));
        }
        assertTrue(HOST.log().linesWith("session ended").isEmpty());
        Background.join(sent);
    }
}
