/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.it;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.vsockproxy.posix.Constants;
import io.vsockproxy.testing.Endpoint;
import io.vsockproxy.testing.ProxyProcess;
import io.vsockproxy.testing.SocketActivation;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * Sockets in the abstract namespace, whose names are written with an @ in front.
 */
@Timeout(value = 60, unit = TimeUnit.SECONDS)
class AbstractSocketsTest {
    @TempDir
    Path directory;
    private Path link;
    private Path target;
    private Path forward;

    @BeforeEach
    void chooseNames() {
        // All processes share the namespace, but the directory's name is unique.
        link = Path.of("@" + directory + "/link");
        target = Path.of("@" + directory + "/target");
        forward = Path.of("@" + directory + "/forward");
    }

    @Test
    void shouldBeListenedOnAndConnectedTo() throws IOException {
        try (Endpoint listening = Endpoint.listen(target);
            ProxyProcess host = ProxyProcess.start(
                "host", "--listen", "unix:" + link, "--allow-connect", target.toString()).awaitReady();
            ProxyProcess guest = ProxyProcess.start(
                "guest", "--connect", "unix:" + link, "--forward", forward + "=" + target).awaitReady()) {
            final int hostBefore = host.descriptorCount();
            final int guestBefore = guest.descriptorCount();
            try (Endpoint here = Endpoint.connect(forward); Endpoint there = listening.accept()) {
                here.write("question");
                assertEquals("question", there.readText(8));
                there.write("answer");
                assertEquals("answer", here.readText(6));
            }
            host.awaitDescriptorCount(hostBefore);
            guest.awaitDescriptorCount(guestBefore);
            assertTrue(host.errors().stream().anyMatch(line -> line.contains(
                link + ": every process in this network namespace may connect")), host::toString);
            for (final ProxyProcess process : new ProxyProcess[] {guest, host}) {
                process.signal("TERM");
                assertEquals(0, process.awaitExit(), process::toString);
            }
        }
        try (var files = Files.list(directory)) {
            assertEquals(0, files.count());
        }
    }

    @Test
    void shouldBeAllowedByTheirExactNames() {
        try (Endpoint listening = Endpoint.listen(target);
            ProxyProcess host = ProxyProcess.start(
                "host", "--listen", "unix:" + link, "--allow-connect", target + "s",
                "--allow-connect", "/" + target.toString().substring(1)).awaitReady();
            ProxyProcess guest = ProxyProcess.start(
                "guest", "--connect", "unix:" + link, "--forward", forward + "=" + target).awaitReady()) {
            try (Endpoint here = Endpoint.connect(forward)) {
                here.expectEnd();
            }
            assertEquals(0, listening.poll(Constants.EPOLLIN, 0));
            assertTrue(host.isAlive() && guest.isAlive(), () -> host + "\n" + guest);
        }
    }

    @Test
    void shouldNotBeTakenForFilesOfArguments() throws IOException {
        final Path file = Files.writeString(directory.resolve("target"), "/path --no-such-option");
        try (ProxyProcess host = ProxyProcess.start(
            "host", "--listen", "unix:" + link, "--allow-connect", "@" + file).awaitReady()) {
            host.signal("TERM");
            assertEquals(0, host.awaitExit(), host::toString);
        }
    }

    @Test
    void shouldEndWithOneForANameThatIsInUse() {
        try (Endpoint other = Endpoint.listen(link);
            ProxyProcess host = ProxyProcess.start("host", "--listen", "unix:" + link)) {
            assertEquals(1, host.awaitExit(), host::toString);
            assertTrue(host.errors().get(host.errors().size() - 1).contains("EADDRINUSE"), host::toString);
            try (Endpoint here = Endpoint.connect(link); Endpoint there = other.accept()) {
                here.write("x");
                assertEquals("x", there.readText(1));
            }
        }
    }

    @Test
    void shouldBeTakenOverFromAServiceManager() {
        try (Endpoint listening = Endpoint.listen(target);
            ProxyProcess host = ProxyProcess.start(
                SocketActivation.prefix(link), "host", "--listen", "unix:" + link,
                "--allow-connect", target.toString()).awaitReady();
            ProxyProcess guest = ProxyProcess.start(
                "guest", "--connect", "unix:" + link, "--forward", forward + "=" + target).awaitReady();
            Endpoint here = Endpoint.connect(forward);
            Endpoint there = listening.accept()) {
            here.write("x");
            assertEquals("x", there.readText(1));
            assertTrue(host.isAlive() && guest.isAlive(), () -> host + "\n" + guest);
        }
    }
}
