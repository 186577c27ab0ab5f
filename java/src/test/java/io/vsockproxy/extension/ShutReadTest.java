/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.extension;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.vsockproxy.Role;
import io.vsockproxy.config.Extensions;
import io.vsockproxy.posix.Constants;
import io.vsockproxy.posix.Errno;
import io.vsockproxy.testing.Await;
import io.vsockproxy.testing.Endpoint;
import io.vsockproxy.testing.MixedPair;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Applications that shut down their receiving side and go on sending, between two proxies with the extension.
 */
@Timeout(value = 60, unit = TimeUnit.SECONDS)
class ShutReadTest {
    @RegisterExtension
    static final MixedPair PAIR = new MixedPair(Extensions.DEFAULTS);


    /** Sockets that can be passed. */
    enum Type {
        STREAM(Constants.SOCK_STREAM),
        SEQPACKET(Constants.SOCK_SEQPACKET),
        DATAGRAM(Constants.SOCK_DGRAM);

        private final int number;

        Type(final int number) {
            this.number = number;
        }
    }

    @ParameterizedTest
    @EnumSource
    void shouldBeToldToWhoeverSendsOnAConnection(final Role from) {
        final Endpoint[] ends = PAIR.connect(from);
        PAIR.closing(ends);
        expectEpipeAndTheOppositeDirection(ends[0], ends[1]);
        final Endpoint[] others = PAIR.connect(from);
        PAIR.closing(others);
        expectEpipeAndTheOppositeDirection(others[1], others[0]);
    }

    /** The end that stayed is shut down: the one who has the passed socket is told. */
    @ParameterizedTest
    @EnumSource
    void shouldBeToldToWhoeverWasPassedTheSocket(final Type type) {
        final Endpoint[] sockets = pass(type);
        expectEpipeAndTheOppositeDirection(sockets[0], sockets[2]);
    }

    /** The passed socket is shut down: that holds for the copy that was kept, and its other end is told. */
    @ParameterizedTest
    @EnumSource
    void shouldHoldForEveryCopyOfAPassedSocket(final Type type) {
        final Endpoint[] sockets = pass(type);
        expectEpipeAndTheOppositeDirection(sockets[2], sockets[0]);
        if (type != Type.DATAGRAM) {
            Await.until(() -> sockets[1].isReadable(), () -> "an end of file");
            sockets[1].expectEnd();
        }
    }

    private static void expectEpipeAndTheOppositeDirection(final Endpoint shut, final Endpoint sending) {
        shut.shutdownRead();
        Await.until(
            () -> {
                final int sent = sending.trySend(new byte[1], 0, 1);
                // There may be no more room until the other side has been told.
                assertTrue(sent == 1 || sent == -Errno.EAGAIN || sent == -Errno.EPIPE, () -> "sent: " + sent);
                return sent == -Errno.EPIPE;
            },
            () -> "EPIPE");
        shut.send("still sent");
        assertEquals("still sent", sending.receive().text());
        assertEquals(-Errno.EPIPE, sending.trySend(new byte[1], 0, 1));
    }

    /** The end that was kept, a copy of the one that was passed, and what came out of it. */
    private Endpoint[] pass(final Type type) {
        final Endpoint[] carriers = PAIR.connect(Role.GUEST);
        final Endpoint[] sockets = Endpoint.socketPair(type.number);
        carriers[0].send("socket", sockets[1]);
        final Endpoint passed = carriers[1].receive().only();
        Endpoint.closeAll(carriers);
        final Endpoint[] all = {sockets[0], sockets[1], passed};
        PAIR.closing(all);
        return all;
    }
}
