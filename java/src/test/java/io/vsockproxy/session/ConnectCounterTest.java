/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.session;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.vsockproxy.counters.CounterId;
import io.vsockproxy.counters.CounterValues;
import io.vsockproxy.posix.Constants;
import io.vsockproxy.posix.Descriptors;
import io.vsockproxy.posix.OwnedFd;
import io.vsockproxy.posix.Syscalls;
import io.vsockproxy.proto.VSockMessage;
import io.vsockproxy.testing.Endpoint;
import io.vsockproxy.testing.Messages;
import io.vsockproxy.testing.NoticePeer;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.agrona.concurrent.UnsafeBuffer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * How many descriptors the counters show for connections that the peer has not answered yet.
 */
@Timeout(value = 60, unit = TimeUnit.SECONDS)
class ConnectCounterTest {
    private static final UnsafeBuffer PATH = new UnsafeBuffer("/remote".getBytes(StandardCharsets.UTF_8));
    private static final long HANDLE = 1;

    private final OrderlyComponent component = new OrderlyComponent();
    private FuzzedProxy proxy;
    private Session session;
    private NoticePeer peer;

    @BeforeEach
    void start() throws IOException {
        proxy = new FuzzedProxy(false);
        final Endpoint[] pair = Endpoint.socketPair(Constants.SOCK_STREAM);
        session = proxy.session(pair[0], false, true, true);
        peer = new NoticePeer(pair[1]);
        session.start();
        proxy.turnUntilIdle();
    }

    @AfterEach
    void stop() {
        session.close();
        peer.close();
        proxy.turnUntilIdle();
        assertEquals(List.of(), proxy.faults);
        component.expectEnd();
        proxy.close();
    }

    @Test
    void shouldNotCountAComponentThatWaits() {
        final int before = Descriptors.count();
        session.peer().connect("/remote", component);
        assertEquals(before, Descriptors.count());
        assertEquals(0, count());
        answer();
        assertEquals(0, count());
    }

    @Test
    void shouldCountAnApplicationsConnectionThatWaits() {
        final Endpoint[] pair = Endpoint.socketPair(Constants.SOCK_STREAM);
        pair[1].setNonBlocking();
        try (Endpoint application = pair[0]) {
            session.forward(OwnedFd.of(Syscalls.fcntl(pair[1].fd(), Constants.F_DUPFD_CLOEXEC, 0)), PATH);
            pair[1].close();
            assertEquals(1, count());
            answer();
            assertEquals(0, count());
            application.send("x");
            proxy.turnUntilIdle();
            assertEquals("x", peer.next(VSockMessage::hasData, "the byte").getData().getBlob().toStringUtf8());
        }
    }

    private long count() {
        final CounterValues values = new CounterValues();
        session.addTo(values);
        return values.get(CounterId.CONNECT_DESCRIPTORS);
    }

    private void answer() {
        proxy.turnUntilIdle();
        peer.send(Messages.connectResponse(
            peer.next(VSockMessage::hasConnectRequest, "the request").getConnectRequest().getCookie(), 0, HANDLE));
        proxy.turnUntilIdle();
    }
}
