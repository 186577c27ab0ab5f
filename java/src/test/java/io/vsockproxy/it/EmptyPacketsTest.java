/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.it;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.vsockproxy.proto.FileDescriptor;
import io.vsockproxy.testing.Endpoint;
import io.vsockproxy.testing.Messages;
import io.vsockproxy.testing.ProxyProcess;
import io.vsockproxy.testing.RawPeer;
import io.vsockproxy.testing.TestLink;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * A guest that sends as many empty packets as a session may queue, to an application that takes none.
 */
@Timeout(value = 60, unit = TimeUnit.SECONDS)
class EmptyPacketsTest {
    private static final int SOCKETS = 16;
    /** With what each counts for, 64 bytes, and those of all sockets, a little less than 64 MiB. */
    private static final int PACKETS = 65_000;
    /** Less than as many objects would take. */
    private static final List<String> SMALL_HEAP = List.of("env", "_JAVA_OPTIONS=-Xmx24m");

    @TempDir
    Path directory;

    @Test
    void shouldQueueAllThatASessionMayAndServeTheNextGuest() {
        final Path target = directory.resolve("target");
        try (Endpoint listening = Endpoint.listen(target);
            ProxyProcess host = ProxyProcess.start(SMALL_HEAP,
                "host", "--listen", TestLink.in(directory).toString(), "--allow-connect", target.toString())
                .awaitReady();
            RawPeer flooding = RawPeer.guestOf(TestLink.in(directory))) {
            flooding.send(Messages.connectRequest(-1, target.toString()));
            final long handle = flooding.receive().getConnectResponse().getHandle();
            final FileDescriptor[] sockets = new FileDescriptor[SOCKETS];
            for (int i = 0; i < SOCKETS; i++) {
                sockets[i] = Messages.descriptor(FileDescriptor.Type.SOCKET_DGRAM, -1 - i);
            }
            flooding.send(Messages.data(handle, "x", sockets));
            for (int i = 0; i < SOCKETS; i++) {
                final byte[] packet = RawPeer.frame(Messages.data(-1 - i, ""));
                final byte[] packets = new byte[PACKETS * packet.length];
                for (int j = 0; j < PACKETS; j++) {
                    System.arraycopy(packet, 0, packets, j * packet.length, packet.length);
                }
                flooding.send(packets);
            }
            // Answered only once everything before it has been queued.
            flooding.send(Messages.fstatRequest(-2, 1));
            assertEquals(-2, flooding.receive().getFstatResponse().getCookie(), host::toString);
            try (Endpoint application = listening.accept()) {
                serveAnother(target, listening);
                final List<Endpoint> received = application.receive().descriptors();
                assertEquals(SOCKETS, received.size());
                for (int i = 0; i < PACKETS; i++) {
                    assertEquals(0, received.get(SOCKETS - 1).receive().bytes().length);
                }
                received.forEach(Endpoint::close);
            }
        }
    }

    private void serveAnother(final Path target, final Endpoint listening) {
        try (RawPeer guest = RawPeer.guestOf(TestLink.in(directory))) {
            guest.send(Messages.connectRequest(-1, target.toString()));
            try (Endpoint served = listening.accept()) {
                guest.send(Messages.data(guest.receive().getConnectResponse().getHandle(), "served"));
                assertEquals("served", served.readText(6));
            }
        }
    }
}
