/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.it;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.vsockproxy.LinkAddress;
import io.vsockproxy.testing.Await;
import io.vsockproxy.testing.Endpoint;
import io.vsockproxy.testing.InVirtualMachine;
import io.vsockproxy.testing.ProxyProcess;
import java.io.IOException;
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

/**
 * A host that serves the guests listed in a file, which changes while it runs. The only guest has CID 1.
 */
@InVirtualMachine
@Timeout(value = 120, unit = TimeUnit.SECONDS)
class GuestsTest {
    private static final AtomicInteger NEXT_PORT = new AtomicInteger(31_000);

    @TempDir
    Path directory;
    private final String link = LinkAddress.vsock(1, NEXT_PORT.getAndIncrement()).toString();
    private Path guests;
    private Path target;
    private Path anotherTarget;
    private Path forward;
    private Path anotherForward;

    @BeforeEach
    void namePaths() {
        guests = directory.resolve("guests");
        target = directory.resolve("target");
        anotherTarget = directory.resolve("another-target");
        forward = directory.resolve("forward");
        anotherForward = directory.resolve("another-forward");
    }

    @Test
    void shouldServeNobodyWhenTheFileIsEmpty() throws IOException {
        Files.writeString(guests, "# none yet\n");
        try (ProxyProcess host = host(); ProxyProcess guest = guest()) {
            host.awaitErrorLine("CID 1 may not connect");
            assertTrue(host.errors().stream().noneMatch(line -> line.contains("session began")), host::toString);
            assertTrue(guest.isAlive(), guest::toString);
        }
    }

    @Test
    void shouldReadTheFileAgainAtSighup() throws IOException {
        Files.writeString(guests, "1 " + target + "\n");
        try (Endpoint listening = Endpoint.listen(target);
            Endpoint anotherListening = Endpoint.listen(anotherTarget);
            ProxyProcess host = host();
            ProxyProcess guest = guest().awaitReady();
            Endpoint client = Endpoint.connect(forward);
            Endpoint server = listening.accept()) {
            exchange(client, server);
            expectRefusal(anotherForward);

            // Another path is allowed: existing connections stay.
            change(host, "1 " + anotherTarget + "\n", "guests that may connect: 1");
            expectRefusal(forward);
            try (Endpoint anotherClient = Endpoint.connect(anotherForward);
                Endpoint anotherServer = anotherListening.accept()) {
                exchange(anotherClient, anotherServer);
            }
            exchange(client, server);

            // A mistake changes nothing.
            change(host, "1 " + target + "\none " + target + "\n", "line 2: CID 'one'");
            expectRefusal(forward);
            exchange(client, server);

            // The guest is not served any more.
            change(host, "42\n", "its guest is no longer allowed to connect");
            client.expectEnd();
            server.expectEnd();
            host.awaitErrorLine("CID 1 may not connect");

            // And again.
            change(host, "1 " + target + "\n42\n", "guests that may connect: 2");
            Await.until(() -> sessions(host) == 2, host::toString);
            try (Endpoint next = Endpoint.connect(forward); Endpoint nextServer = listening.accept()) {
                exchange(next, nextServer);
            }
            host.signal("TERM");
            assertEquals(0, host.awaitExit(), host::toString);
            assertTrue(guest.isAlive(), guest::toString);
        }
    }

    @Test
    void shouldForwardToTheNamedGuestAndWaitForOneThatIsNotConnected() throws IOException {
        Files.writeString(guests, "1\n42\n");
        final Path toFirst = directory.resolve("to-first");
        final Path toOther = directory.resolve("to-other");
        try (Endpoint listening = Endpoint.listen(target);
            ProxyProcess host = host(
                "--forward", toFirst + "=1:" + target, "--forward", toOther + "=42:" + target);
            Endpoint early = Endpoint.connect(toFirst);
            Endpoint waiting = Endpoint.connect(toOther);
            ProxyProcess guest = ProxyProcess.start(
                "guest", "--connect", link, "--allow-connect", target.toString()).awaitReady();
            Endpoint server = listening.accept()) {
            exchange(early, server);
            try (Endpoint client = Endpoint.connect(toFirst); Endpoint another = listening.accept()) {
                exchange(client, another);
            }
            assertFalse(waiting.isReadable(), "closed");
            assertFalse(listening.isReadable(), "a connection for another guest");
            assertTrue(host.isAlive() && guest.isAlive(), () -> host + "\n" + guest);
        }
    }

    private void change(final ProxyProcess host, final String text, final String answer) throws IOException {
        Files.writeString(guests, text);
        host.signal("HUP");
        host.awaitErrorLine(answer);
    }

    private static void expectRefusal(final Path socket) {
        try (Endpoint refused = Endpoint.connect(socket)) {
            refused.awaitHangUp();
        }
    }

    private static void exchange(final Endpoint client, final Endpoint server) {
        client.write("there");
        assertEquals("there", server.readText(5));
        server.write("back");
        assertEquals("back", client.readText(4));
    }

    private static long sessions(final ProxyProcess host) {
        return host.errors().stream().filter(line -> line.contains("session began")).count();
    }

    private ProxyProcess host(final String... options) {
        final List<String> arguments =
            new ArrayList<>(List.of("host", "--listen", link, "--guests", guests.toString()));
        arguments.addAll(List.of(options));
        return ProxyProcess.start(arguments.toArray(String[]::new)).awaitReady();
    }

    private ProxyProcess guest() {
        return ProxyProcess.start(
            "guest", "--connect", link, "--forward", forward + "=" + target,
            "--forward", anotherForward + "=" + anotherTarget);
    }
}
