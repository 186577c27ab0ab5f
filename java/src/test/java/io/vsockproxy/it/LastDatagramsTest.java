/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.it;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.vsockproxy.Role;
import io.vsockproxy.posix.Constants;
import io.vsockproxy.testing.Endpoint;
import io.vsockproxy.testing.RunningPair;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * A proxy that was held up finds datagrams from an application that has left meanwhile, and others for it. Sending to a
 * closed datagram socket drops what the sender has not received.
 */
@Timeout(value = 60, unit = TimeUnit.SECONDS)
class LastDatagramsTest {
    @RegisterExtension
    static final RunningPair RUNNING = RunningPair.processes();

    @Test
    void shouldDeliverWhatAnApplicationSentBeforeItClosedEvenIfMoreHasArrivedForIt() {
        final Endpoint[] carriers = RUNNING.connect(Role.GUEST);
        for (int i = 0; i < 5; i++) {
            final Endpoint[] sockets = RUNNING.closing(Endpoint.socketPair(Constants.SOCK_DGRAM));
            carriers[0].pass("socket", sockets[1]);
            final Endpoint passed = RUNNING.closing(carriers[1].receive().only());
            RUNNING.pair().hostProcess().signal("STOP");
            sockets[0].send("too late");
            sockets[0].awaitTaken();
            passed.send("first");
            passed.send("");
            passed.send("last");
            passed.close();
            RUNNING.pair().hostProcess().signal("CONT");
            assertEquals("first", sockets[0].receive().text());
            assertEquals("", sockets[0].receive().text());
            assertEquals("last", sockets[0].receive().text());
            sockets[0].close();
        }
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void shouldDeliverPacketsAfterAnEmptyOneEvenIfMoreHasArrivedForTheirSender(final boolean unread) {
        final Endpoint[] carriers = RUNNING.connect(Role.GUEST);
        for (int i = 0; i < 5; i++) {
            final Endpoint[] sockets = RUNNING.closing(Endpoint.socketPair(Constants.SOCK_SEQPACKET));
            carriers[0].pass("socket", sockets[1]);
            final Endpoint passed = RUNNING.closing(carriers[1].receive().only());
            if (unread) {
                // The kernel then reports ECONNRESET before anything else.
                sockets[0].send("unread");
                passed.await(Constants.EPOLLIN, "a packet");
            }
            RUNNING.pair().hostProcess().signal("STOP");
            sockets[0].send("too late");
            sockets[0].awaitTaken();
            passed.send("");
            passed.send("last");
            passed.close();
            RUNNING.pair().hostProcess().signal("CONT");
            assertEquals("", sockets[0].receive().text());
            assertEquals("last", sockets[0].receive().text());
            sockets[0].close();
        }
    }
}
