/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.it;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.vsockproxy.posix.Constants;
import io.vsockproxy.testing.Await;
import io.vsockproxy.testing.Endpoint;
import io.vsockproxy.testing.FileCalls;
import io.vsockproxy.testing.Mounts;
import io.vsockproxy.testing.Pattern;
import io.vsockproxy.testing.ProxyProcess;
import io.vsockproxy.testing.Received;
import io.vsockproxy.testing.ServiceNamespace;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.StringTokenizer;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * The host's unit of docs/systemd, under a real systemd and with all of the unit's restrictions. It differs in two
 * things: its link is a unix socket, because AF_VSOCK belongs to the machine; and it starts the classes being tested.
 */
@Timeout(value = 120, unit = TimeUnit.SECONDS)
class ServiceUnitsTest {
    private static final String HOST = "vsock-proxy-host.service";
    private static final String LINK = "/run/vsock-proxy/link.sock";
    private static final String TARGET = "/run/application.sock";
    private static final String HIDDEN = "other users' processes are hidden";

    @TempDir
    Path directory;

    @BeforeEach
    void check() throws IOException {
        ServiceNamespace.assumePossible();
    }

    @Test
    void shouldServeStreamsAndDescriptorsWithoutAnyPrivilege() throws IOException {
        try (ServiceNamespace namespace = namespace("").start("multi-user.target");
            Endpoint application = application(namespace)) {
            awaitActive(namespace);
            assertNotEquals("0", userOf(namespace));
            for (final String set : List.of("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")) {
                assertEquals(0, Long.parseUnsignedLong(namespace.status(HOST, set), 16), set);
            }
            assertEquals("1", namespace.status(HOST, "NoNewPrivs"));
            assertEquals("2", namespace.status(HOST, "Seccomp"));
            assertTrue(List.of(namespace.property(HOST, "SystemCallFilter").split(" ")).contains("mincore"));
            assertTrue(namespace.property(HOST, "StatusText").contains(LINK), namespace::toString);
            try (ProxyProcess guest = guest(namespace)) {
                guest.awaitReady();
                try (Endpoint client = Endpoint.connect(directory.resolve("forward"));
                    Endpoint server = application.accept()) {
                    client.send("request");
                    assertEquals("request", server.receive().text());
                    final Endpoint[] pair = Endpoint.socketPair(Constants.SOCK_STREAM);
                    final Endpoint[] pipe = Endpoint.pipe();
                    server.pass("reply", pair[1], pipe[0]);
                    final Received reply = client.receive();
                    pair[0].send("socket");
                    pipe[1].write("pipe");
                    assertEquals("socket", reply.descriptors().get(0).readText(6));
                    assertEquals("pipe", reply.descriptors().get(1).readText(4));
                    reply.descriptors().forEach(Endpoint::close);
                    Endpoint.closeAll(pair[0], pipe[1]);
                }
                assertEquals(List.of(), namespace.systemctl("stop", HOST));
                assertEquals("success", namespace.property(HOST, "Result"), namespace::toString);
                assertEquals("inactive", namespace.property(HOST, "ActiveState"));
            }
        }
    }

    @Test
    void shouldReceiveFilesWithTheDropInForThem() throws IOException {
        Mounts.assumeMountable();
        final byte[] content = Pattern.bytes(1, 100_000);
        Files.write(directory.resolve("file"), content);
        try (ServiceNamespace namespace = withFiles().start("multi-user.target");
            Endpoint application = application(namespace)) {
            awaitActive(namespace);
            assertNotEquals("0", userOf(namespace));
            // Otherwise the proxy could not tell whether a signal kills its receiver.
            assertEquals("default", namespace.property(HOST, "ProtectProc"));
            assertFalse(log(namespace).contains(HIDDEN), () -> log(namespace));
            try (ProxyProcess guest = guest(namespace)) {
                guest.awaitReady();
                try (Endpoint client = Endpoint.connect(directory.resolve("forward"));
                    Endpoint server = application.accept();
                    Endpoint file = Endpoint.open(directory.resolve("file"), Constants.O_RDONLY)) {
                    client.send("file", file);
                    try (Endpoint received = server.receive().only()) {
                        assertArrayEquals(content, FileCalls.read(received, 0, content.length));
                    }
                }
            }
        }
    }

    @Test
    void shouldWarnWhereItCannotSeeWhetherASignalKills() throws IOException {
        Mounts.assumeMountable();
        final ServiceNamespace withHiddenProcesses =
            withFiles().add(HOST + ".d/hidden.conf", "[Service]", "ProtectProc=invisible");
        try (ServiceNamespace namespace = withHiddenProcesses.start("multi-user.target")) {
            awaitActive(namespace);
            assertTrue(log(namespace).contains(HIDDEN), () -> log(namespace));
        }
    }

    @Test
    void shouldBeStartedByTheFirstGuestOnItsSocket() throws IOException {
        final ServiceNamespace withSocket = namespace("")
            .add("begin.target", "[Unit]", "DefaultDependencies=no", "Wants=vsock-proxy-host.socket");
        try (ServiceNamespace namespace = withSocket.start("begin.target");
            Endpoint application = application(namespace)) {
            Await.until(
                () -> namespace.property("vsock-proxy-host.socket", "ActiveState").equals("active"),
                namespace::toString);
            assertEquals("inactive", namespace.property(HOST, "ActiveState"));
            try (ProxyProcess guest = guest(namespace)) {
                guest.awaitReady();
                try (Endpoint client = Endpoint.connect(directory.resolve("forward"));
                    Endpoint server = application.accept()) {
                    client.send("request");
                    assertEquals("request", server.receive().text());
                }
                assertEquals("active", namespace.property(HOST, "ActiveState"));
            }
        }
    }

    private ServiceNamespace withFiles() throws IOException {
        return namespace(" --files /run/vsock-proxy/files")
            .add(HOST + ".d/files.conf", Files.readString(Path.of("..", "docs", "systemd", "files.conf")));
    }

    private ServiceNamespace namespace(final String options) throws IOException {
        return new ServiceNamespace(Files.createDirectory(directory.resolve("namespace")))
            .add(HOST + ".d/link.conf", "[Service]", "ExecStart=",
                "ExecStart=" + ServiceNamespace.command(
                    "host --listen unix:" + LINK + " --allow-connect " + TARGET + options),
                "StandardError=file:/run/host.log", "StandardOutput=file:/run/host.out")
            // In every test, nothing may listen on the machine's own AF_VSOCK.
            .add("vsock-proxy-host.socket.d/link.conf", "[Socket]", "ListenStream=", "ListenStream=" + LINK)
            .add("multi-user.target", "[Unit]", "DefaultDependencies=no", "Wants=" + HOST);
    }

    private static Endpoint application(final ServiceNamespace namespace) throws IOException {
        final Endpoint listening = Endpoint.listen(namespace.path(TARGET));
        Files.setPosixFilePermissions(namespace.path(TARGET), PosixFilePermissions.fromString("rw-rw-rw-"));
        return listening;
    }

    private ProxyProcess guest(final ServiceNamespace namespace) {
        return ProxyProcess.start("guest", "--connect", "unix:" + namespace.path(LINK),
            "--forward", directory.resolve("forward") + "=" + TARGET);
    }

    /** Its real user id. */
    private static String userOf(final ServiceNamespace namespace) throws IOException {
        return new StringTokenizer(namespace.status(HOST, "Uid")).nextToken();
    }

    private static void awaitActive(final ServiceNamespace namespace) {
        Await.until(
            () -> namespace.property(HOST, "ActiveState").equals("active"),
            () -> namespace.systemctl("status", HOST) + "\n" + log(namespace) + "\n" + namespace);
    }

    private static String log(final ServiceNamespace namespace) {
        try {
            return Files.readString(namespace.path("/run/host.log"));
        } catch (final IOException e) {
            return e.toString();
        }
    }
}
