/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.it;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.vsockproxy.LinkAddress;
import io.vsockproxy.posix.Constants;
import io.vsockproxy.posix.Errno;
import io.vsockproxy.posix.OwnedFd;
import io.vsockproxy.posix.PosixException;
import io.vsockproxy.posix.SocketAddress;
import io.vsockproxy.posix.Syscalls;
import io.vsockproxy.proto.ConnectRequest;
import io.vsockproxy.testing.Endpoint;
import io.vsockproxy.testing.Messages;
import io.vsockproxy.testing.ProxyProcess;
import io.vsockproxy.testing.RawPeer;
import io.vsockproxy.testing.SocketActivation;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * A proxy as a service: sd_notify(3), the watchdog, and sockets that are handed over.
 */
@Timeout(value = 60, unit = TimeUnit.SECONDS)
class ServiceManagerTest {
    @TempDir
    Path directory;

    @Test
    void shouldTellItsManagerThatItIsReadyAliveAndStopping() {
        final Path link = directory.resolve("link");
        final Path notify = directory.resolve("notify");
        expectMessages(notify.toString(), link);
    }

    @Test
    void shouldFindItsManagerInTheAbstractNamespace() {
        final String name = "@vsock-proxy-test-" + ProcessHandle.current().pid();
        expectMessages(name, directory.resolve("link"));
    }

    @Test
    void shouldTellItsManagerWhoComesAndGoes() {
        final Path link = directory.resolve("link");
        try (Endpoint manager = manager(directory.resolve("notify").toString());
            ProxyProcess host = ProxyProcess.start(
                List.of("env", "NOTIFY_SOCKET=" + directory.resolve("notify")), "host", "--listen", "unix:" + link)) {
            final String ready = manager.receive().text();
            assertTrue(ready.startsWith("READY=1\n"), ready);
            try (RawPeer guest = RawPeer.guestOf(LinkAddress.unix(link.toString()))) {
                assertEquals("STATUS=sessions: 1; last, guest 1: session began", manager.receive().text());
                guest.send(Messages.connectRequest(-1, "/nowhere"));
                assertEquals(Errno.EACCES, guest.receive().getConnectResponse().getErrorCode());
            }
            final String end = manager.receive().text();
            assertTrue(end.startsWith("STATUS=sessions: 0; last, guest 1: session ended: the peer closed"), end);
            host.signal("TERM");
            assertEquals("STOPPING=1", manager.receive().text());
            assertEquals(0, host.awaitExit(), host::toString);
        }
    }

    @Test
    void shouldServeOnSocketsThatItWasHanded() {
        final Path link = directory.resolve("link");
        final Path forward = directory.resolve("forward");
        try (ProxyProcess host = ProxyProcess.start(
            SocketActivation.prefix(link, forward), "host", "--listen", "unix:" + link,
            "--forward", forward + "=/there").awaitReady()) {
            try (RawPeer guest = RawPeer.guestOf(LinkAddress.unix(link.toString()))) {
                guest.send(Messages.connectRequest(-1, "/nowhere"));
                assertEquals(Errno.EACCES, guest.receive().getConnectResponse().getErrorCode());
                try (Endpoint application = Endpoint.connect(forward)) {
                    final ConnectRequest request = guest.receive().getConnectRequest();
                    assertEquals("/there", request.getPath());
                    guest.send(Messages.connectResponse(request.getCookie(), 0, -1));
                    guest.send(Messages.data(-1, "welcome"));
                    assertEquals("welcome", application.readText(7));
                }
            }
            host.signal("TERM");
            assertEquals(0, host.awaitExit(), host::toString);
            assertTrue(Files.exists(link) && Files.exists(forward), "they are the manager's");
        }
    }

    @Test
    void shouldRefuseASocketThatItHasNoUseFor() {
        final Path link = directory.resolve("link");
        try (ProxyProcess host = ProxyProcess.start(
            SocketActivation.prefix(directory.resolve("other")), "host", "--listen", "unix:" + link)) {
            assertEquals(2, host.awaitExit(), host::toString);
            assertTrue(host.errors().get(0).contains("other"), host::toString);
        }
    }

    private static Endpoint manager(final String name) {
        final OwnedFd socket = OwnedFd.of(PosixException.check(
            Syscalls.socket(Constants.AF_UNIX, Constants.SOCK_DGRAM | Constants.SOCK_CLOEXEC, 0), "socket"));
        try (SocketAddress address = SocketAddress.unix(name)) {
            PosixException.check(address.bind(socket.fd()), "bind");
        }
        return Endpoint.of(socket.release(), "manager");
    }

    private void expectMessages(final String name, final Path link) {
        try (Endpoint manager = manager(name);
            ProxyProcess host = ProxyProcess.start(
                List.of("env", "NOTIFY_SOCKET=" + name, "WATCHDOG_USEC=200000"), "host", "--listen", "unix:" + link)) {
            String message = manager.receive().text();
            // The first sign of life may come before or after.
            while ("WATCHDOG=1".equals(message)) {
                message = manager.receive().text();
            }
            assertTrue(message.startsWith("READY=1\nSTATUS=host listening on unix:"), message);
            for (int i = 0; i < 3; i++) {
                assertEquals("WATCHDOG=1", manager.receive().text());
            }
            host.signal("TERM");
            do {
                message = manager.receive().text();
            } while ("WATCHDOG=1".equals(message));
            assertEquals("STOPPING=1", message);
            assertEquals(0, host.awaitExit(), host::toString);
        }
    }
}
