/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.it;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.vsockproxy.VsockProxy;
import io.vsockproxy.posix.Descriptors;
import io.vsockproxy.testing.Await;
import io.vsockproxy.testing.Endpoint;
import io.vsockproxy.testing.FileCalls;
import io.vsockproxy.testing.LogCapture;
import io.vsockproxy.testing.Messages;
import io.vsockproxy.testing.Pattern;
import io.vsockproxy.testing.ProxyPair;
import io.vsockproxy.testing.RawPeer;
import io.vsockproxy.testing.TestLink;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * Bytes received in sessions that have ended wait for their readers, but only for a limited number of sessions.
 */
@Timeout(value = 60, unit = TimeUnit.SECONDS)
class EndedSessionsTest {
    private static final int MAX_SESSIONS = 2;
    private static final int COUNT = 5;
    /** More than a socket takes. */
    private static final int LENGTH = 2 << 20;

    @TempDir
    Path directory;

    @Test
    void shouldKeepTheBytesOfAsManyAsThereMayBeSessions() throws InterruptedException {
        FileCalls.load();
        final int descriptorsBefore = Await.stable(Descriptors::count);
        final byte[] bytes = Pattern.bytes(1, LENGTH);
        final Endpoint[] applications = new Endpoint[COUNT];
        try (LogCapture log = new LogCapture();
            Endpoint target = Endpoint.listen(ProxyPair.hostTarget(directory));
            VsockProxy host = VsockProxy.launch(ProxyPair.hostContext(directory).maxSessions(MAX_SESSIONS))) {
            host.ready().join();
            for (int i = 0; i < COUNT; i++) {
                try (RawPeer guest = RawPeer.guestOf(TestLink.in(directory))) {
                    guest.send(Messages.connectRequest(-1, ProxyPair.hostTarget(directory).toString()));
                    applications[i] = target.accept();
                    guest.send(Messages.data(guest.receive().getConnectResponse().getHandle(), bytes));
                    guest.link().awaitTaken();
                }
                final int ended = i + 1;
                Await.until(
                    () -> log.linesWith("session ended: ").size() == ended, () -> "the end of session " + ended);
            }
            for (int i = 0; i < COUNT - MAX_SESSIONS; i++) {
                final int received = applications[i].readToEnd().length;
                assertTrue(received < LENGTH, "received=" + received);
            }
            for (int i = COUNT - MAX_SESSIONS; i < COUNT; i++) {
                assertArrayEquals(bytes, applications[i].readToEnd());
            }
            Endpoint.closeAll(applications);
        }
        Descriptors.assertCount(descriptorsBefore);
    }
}
