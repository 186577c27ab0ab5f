/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.it;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.vsockproxy.LinkAddress;
import io.vsockproxy.counters.CounterFileReader;
import io.vsockproxy.counters.CounterId;
import io.vsockproxy.link.LinkSockets;
import io.vsockproxy.posix.Constants;
import io.vsockproxy.posix.OwnedFd;
import io.vsockproxy.posix.PosixException;
import io.vsockproxy.posix.Syscalls;
import io.vsockproxy.testing.Await;
import io.vsockproxy.testing.Endpoint;
import io.vsockproxy.testing.InVirtualMachine;
import io.vsockproxy.testing.ProxyProcess;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * What is special about an AF_VSOCK link, between a host and a guest that are processes of their own. The CID of both
 * is that of the loopback, 1.
 */
@InVirtualMachine
@Timeout(value = 120, unit = TimeUnit.SECONDS)
class VsockLinkTest {
    private static final int LOOPBACK_CID = 1;
    private static final long LARGE_BUFFER_LENGTH = 64 << 20;
    private static final AtomicInteger NEXT_PORT = new AtomicInteger(30_000);

    @TempDir
    Path directory;

    private final String link = LinkAddress.vsock(LOOPBACK_CID, NEXT_PORT.getAndIncrement()).toString();
    private Path hostSocket;
    private Path guestSocket;

    @BeforeEach
    void namePaths() {
        hostSocket = directory.resolve("host");
        guestSocket = directory.resolve("guest");
    }

    @Test
    void shouldCarryBytesDescriptorsAndFilesBetweenProcesses() throws IOException {
        final Path file = Files.writeString(directory.resolve("file"), "content");
        try (ProxyProcess host = host("--allow-connect", hostSocket.toString(), "--files", files("host"));
            ProxyProcess guest = guest("--files", files("guest")).awaitReady();
            Endpoint listening = Endpoint.listen(hostSocket);
            Endpoint client = Endpoint.connect(guestSocket);
            Endpoint server = listening.accept()) {
            exchange(client, server);
            final Endpoint[] pipe = Endpoint.pipe();
            server.send("pipe", pipe[0]);
            try (Endpoint received = client.receive().only()) {
                pipe[1].write("through the pipe");
                Endpoint.closeAll(pipe);
                assertEquals("through the pipe", new String(received.readToEnd(), StandardCharsets.UTF_8));
            }
            try (Endpoint opened = Endpoint.open(file, Constants.O_RDONLY)) {
                client.send("file", opened);
                try (Endpoint received = server.receive().only()) {
                    assertEquals("content", received.readText("content".length()));
                }
            }
            end(guest, host);
        }
    }

    /** The kernel's first maximum is 256 KiB, and it says nothing when it clamps. */
    @ParameterizedTest
    @ValueSource(longs = {64 << 10, 2 << 20, LARGE_BUFFER_LENGTH})
    void shouldHaveTheBufferThatIsAskedFor(final long length) {
        final int fd = PosixException.check(
            Syscalls.socket(Constants.AF_VSOCK, Constants.SOCK_STREAM | Constants.SOCK_CLOEXEC, 0), "socket(AF_VSOCK)");
        try (OwnedFd socket = OwnedFd.of(fd)) {
            LinkSockets.configureVsock(socket.fd(), length);
            assertEquals(length, LinkSockets.vsockBufferLength(socket.fd()));
        }
    }

    @Test
    void shouldAskForTheBufferOfTheOptionOnBothSides() {
        final String[] option = {"--vsock-buffer", Long.toString(LARGE_BUFFER_LENGTH)};
        try (ProxyProcess host = host(option); ProxyProcess guest = guest(option).awaitReady()) {
            host.awaitErrorLine("session began");
            // The message for the case that the buffer size read back is smaller.
            assertTrue(host.errors().stream().noneMatch(line -> line.contains("bytes of buffer")), host::toString);
            assertTrue(guest.errors().stream().noneMatch(line -> line.contains("bytes of buffer")), guest::toString);
        }
    }

    @Test
    void shouldServeTheGuestWhoseCidIsAllowed() {
        try (ProxyProcess host = host(
                "--allow-cid", "42", "--allow-cid", "1", "--allow-connect", hostSocket.toString());
            ProxyProcess guest = guest().awaitReady();
            Endpoint listening = Endpoint.listen(hostSocket);
            Endpoint client = Endpoint.connect(guestSocket);
            Endpoint server = listening.accept()) {
            host.awaitErrorLine("(CID 1): session began");
            exchange(client, server);
            assertTrue(guest.isAlive(), guest::toString);
        }
    }

    @Test
    void shouldRefuseTheGuestWhoseCidIsNotAllowed() throws IOException {
        final Path file = directory.resolve("counters");
        try (ProxyProcess host = host("--allow-cid", "42", "--counters", file.toString());
            CounterFileReader counters = new CounterFileReader(file);
            ProxyProcess guest = guest()) {
            host.awaitErrorLine("CID 1 may not connect");
            // The guest retries.
            final String refused = CounterId.GUESTS_REFUSED.label();
            Await.until(() -> counters.values().get(refused).value() >= 3, () -> "refusals by " + host);
            assertTrue(host.errors().stream().noneMatch(line -> line.contains("session began")), host::toString);
            assertTrue(guest.isAlive(), guest::toString);
        }
    }

    @Test
    void shouldLetTheGuestConnectToWhatItsLinesInTheFileName() throws IOException {
        final Path guests = Files.writeString(
            directory.resolve("guests"), "42 " + directory.resolve("another") + "\n1 " + hostSocket + "\n");
        final Path refused = directory.resolve("refused");
        try (ProxyProcess host = host("--guests", guests.toString());
            ProxyProcess guest = guest("--forward", refused + "=" + directory.resolve("another")).awaitReady();
            Endpoint another = Endpoint.listen(directory.resolve("another"));
            Endpoint listening = Endpoint.listen(hostSocket);
            Endpoint client = Endpoint.connect(guestSocket);
            Endpoint server = listening.accept()) {
            exchange(client, server);
            // For the guest with CID 42.
            try (Endpoint refusedClient = Endpoint.connect(refused)) {
                refusedClient.awaitHangUp();
            }
            assertTrue(!another.isReadable(), "a connection that is not allowed");
            assertTrue(host.isAlive() && guest.isAlive());
        }
    }

    /** ECONNRESET is what AF_VSOCK says where nobody listens. */
    @Test
    void shouldReconnectUntilThereIsAHostAndWhenItIsReplaced() throws IOException {
        try (ProxyProcess guest = guest()) {
            guest.awaitErrorLine("ECONNRESET; retrying");
            try (ProxyProcess host = host("--allow-connect", hostSocket.toString());
                Endpoint listening = Endpoint.listen(hostSocket)) {
                guest.awaitReady();
                try (Endpoint client = Endpoint.connect(guestSocket); Endpoint server = listening.accept()) {
                    exchange(client, server);
                    host.signal("KILL");
                    client.expectEnd();
                }
            }
            Files.delete(hostSocket);
            try (ProxyProcess host = host("--allow-connect", hostSocket.toString());
                Endpoint listening = Endpoint.listen(hostSocket)) {
                host.awaitErrorLine("session began");
                try (Endpoint client = Endpoint.connect(guestSocket); Endpoint server = listening.accept()) {
                    exchange(client, server);
                }
            }
        }
    }

    @Test
    void shouldTryOnWhereThereIsNoTransportToTheCid() {
        try (ProxyProcess guest = ProxyProcess.start("guest", "--connect", "vsock:77:9900")) {
            guest.awaitErrorLine("ENODEV; retrying");
            guest.signal("TERM");
            assertEquals(0, guest.awaitExit(), guest::toString);
        }
    }

    /** docs/decisions/0012-fifos-on-demand.md */
    @Test
    void shouldReadAFifoForBothDirectionsOnDemand() throws Exception {
        final Path fifo = directory.resolve("fifo");
        assertEquals(0, new ProcessBuilder("mkfifo", fifo.toString()).start().waitFor());
        try (ProxyProcess host = host("--allow-connect", hostSocket.toString(), "--files", files("host"));
            ProxyProcess guest = guest("--files", files("guest")).awaitReady();
            Endpoint listening = Endpoint.listen(hostSocket);
            Endpoint client = Endpoint.connect(guestSocket);
            Endpoint server = listening.accept();
            Endpoint both = Endpoint.open(fifo, Constants.O_RDWR)) {
            client.send("fifo", both);
            try (Endpoint standIn = server.receive().only()) {
                exchange(client, server);
                both.write("its own");
                assertEquals("its own", both.readText(7));
                both.write("for the other");
                assertEquals("for the other", standIn.readText(13));
                standIn.write("back");
                assertEquals("back", both.readText(4));
            }
            end(guest, host);
        }
    }

    /** To a host with no mount for it; docs/decisions/0009-fifos-open-for-both.md */
    @Test
    void shouldCloseOnlyTheStreamOnWhichAFifoForBothDirectionsIsSent() throws Exception {
        final Path fifo = directory.resolve("fifo");
        assertEquals(0, new ProcessBuilder("mkfifo", fifo.toString()).start().waitFor());
        try (ProxyProcess host = host("--allow-connect", hostSocket.toString());
            ProxyProcess guest = guest().awaitReady();
            Endpoint listening = Endpoint.listen(hostSocket);
            Endpoint client = Endpoint.connect(guestSocket);
            Endpoint server = listening.accept();
            Endpoint another = Endpoint.connect(guestSocket);
            Endpoint anotherServer = listening.accept();
            Endpoint both = Endpoint.open(fifo, Constants.O_RDWR)) {
            exchange(client, server);
            client.send("fifo", both);
            server.expectEnd();
            guest.awaitErrorLine("is not a socket, one end of a pipe, or a regular file; this link cannot carry it");
            exchange(another, anotherServer);
            assertTrue(host.isAlive(), host::toString);
        }
    }

    private ProxyProcess host(final String... options) {
        return start(List.of("host", "--listen", link), options).awaitReady();
    }

    private ProxyProcess guest(final String... options) {
        return start(List.of("guest", "--connect", link, "--forward", guestSocket + "=" + hostSocket), options);
    }

    private static ProxyProcess start(final List<String> first, final String... options) {
        final List<String> arguments = new ArrayList<>(first);
        arguments.addAll(List.of(options));
        return ProxyProcess.start(arguments.toArray(String[]::new));
    }

    /** Not killed: their mounts have to go before the directory. */
    private static void end(final ProxyProcess... proxies) {
        for (final ProxyProcess proxy : proxies) {
            proxy.signal("TERM");
            assertEquals(0, proxy.awaitExit(), proxy::toString);
        }
    }

    private String files(final String name) {
        return directory.resolve(name + "-files").toString();
    }

    private static void exchange(final Endpoint client, final Endpoint server) {
        client.send("request");
        assertEquals("request", server.receive().text());
        server.send("reply");
        assertEquals("reply", client.receive().text());
    }
}
