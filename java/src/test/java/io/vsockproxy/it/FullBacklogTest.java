/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.it;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.vsockproxy.posix.Errno;
import io.vsockproxy.posix.Syscalls;
import io.vsockproxy.proto.ConnectResponse;
import io.vsockproxy.testing.Endpoint;
import io.vsockproxy.testing.Limits;
import io.vsockproxy.testing.Messages;
import io.vsockproxy.testing.RawPeer;
import io.vsockproxy.testing.RunningHost;
import io.vsockproxy.testing.RunningHost.Connection;
import java.io.IOException;
import java.nio.file.Files;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;

/**
 * A target that accepts nothing, and whose backlog is full: connect(2) would block.
 */
@Timeout(value = 60, unit = TimeUnit.SECONDS)
class FullBacklogTest {
    /** Much longer than anything else here takes. */
    private static final long CONNECT_TIMEOUT_S = 4;

    @RegisterExtension
    static final RunningHost HOST =
        new RunningHost(Limits.with(Map.of("connectTimeoutNs", TimeUnit.SECONDS.toNanos(CONNECT_TIMEOUT_S))));

    private Endpoint target;

    @BeforeEach
    void listen() {
        target = Endpoint.listen(HOST.nothingPath());
        // One more connection may wait than the backlog's number says (unix_recvq_full).
        assertEquals(0, Syscalls.listen(target.fd(), 0));
    }

    @AfterEach
    void stopListening() throws IOException {
        target.close();
        Files.delete(HOST.nothingPath());
    }

    @Test
    void shouldServeOthersMeanwhileAndGiveUpAfterATime() {
        final RawPeer guest = HOST.guest();
        connect(guest, -6);
        connect(guest, -7);
        // If the loop waited for the target, the answers would arrive in the order of the requests.
        assertEquals(0, errnoOf(guest, -6));
        final Connection other = HOST.connect(guest);
        guest.send(Messages.data(other.handle(), "served"));
        assertEquals("served", other.application().readText(6));
        assertEquals(Errno.ETIMEDOUT, errnoOf(guest, -7));
    }

    @Test
    void shouldConnectWhenThereIsRoom() {
        final RawPeer guest = HOST.guest();
        connect(guest, -6);
        connect(guest, -7);
        assertEquals(0, errnoOf(guest, -6));
        target.accept().close();
        target.accept().close();
        assertEquals(0, guest.receive().getConnectResponse().getErrorCode());
    }

    private static void connect(final RawPeer guest, final long cookie) {
        guest.send(Messages.connectRequest(cookie, HOST.nothingPath().toString()));
    }

    private static int errnoOf(final RawPeer guest, final long cookie) {
        final ConnectResponse response = guest.receive().getConnectResponse();
        assertEquals(cookie, response.getCookie());
        return response.getErrorCode();
    }
}
