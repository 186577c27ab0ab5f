/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.it;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.vsockproxy.LinkAddress;
import io.vsockproxy.posix.Errno;
import io.vsockproxy.testing.Await;
import io.vsockproxy.testing.Endpoint;
import io.vsockproxy.testing.Messages;
import io.vsockproxy.testing.Mounts;
import io.vsockproxy.testing.ProxyProcess;
import io.vsockproxy.testing.RawPeer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * What a user sees when starting and stopping a proxy.
 */
@Timeout(value = 60, unit = TimeUnit.SECONDS)
class CommandLineTest {
    @TempDir
    Path directory;

    @ParameterizedTest
    @ValueSource(strings = {
        "",
        "neither",
        "host",
        "guest",
        "host --listen",
        "host --listen nonsense",
        "host --listen tcp:1.2.3.4:5",
        "host --listen unix:",
        "host --listen vsock:1:2:3",
        "host --listen vsock:99999999999",
        "host --connect unix:/tmp/x",
        "guest --connect vsock:9900",
        "host --listen unix:/tmp/x --forward /tmp/y",
        "host --listen unix:/tmp/x --forward =/tmp/y",
        "host --listen unix:/tmp/x --forward /tmp/y=42:/tmp/z",
        "guest --connect unix:/tmp/x --forward /tmp/y=42:/tmp/z",
        "host --listen unix:/tmp/x --forward /tmp/y=99999999999:/tmp/z",
        "host --listen unix:/tmp/x --unknown",
        "host --listen unix:/tmp/x --cpu -1",
        "host --listen unix:/tmp/x surplus",
        "host --listen unix:/tmp/x --max-frame 10",
        "host --listen unix:/tmp/x --max-frame 1M",
        "host --listen unix:/tmp/x --stream-queue 4X",
        "host --listen unix:/tmp/x --stall-timeout 0",
        "host --listen unix:/tmp/x --window 64K --max-window 8G",
        "host --listen unix:/tmp/x --socket-mode 0888",
        "host --listen unix:/tmp/x --socket-mode 4770",
        "host --listen unix:/tmp/x --allow-cid 42",
        "host --listen unix:/tmp/x --allow-cid -1",
        "host --listen unix:/tmp/x --guests /nowhere/at/all",
        "host --listen unix:/tmp/x --vsock-buffer 1",
        "guest --connect unix:/tmp/x --allow-cid 42",
    })
    void shouldEndWithTwoAndOneLineForBadArguments(final String arguments) {
        final String[] words = arguments.isEmpty() ? new String[0] : arguments.split(" ", -1);
        expectExit(2, words);
    }

    @Test
    void shouldEndWithTwoForAPathThatIsTooLong() {
        expectExit(2, "host", "--listen", "unix:/" + "x".repeat(107));
        expectExit(2, "host", "--listen", "unix:/tmp/x", "--allow-connect", "/" + "x".repeat(107));
    }

    @Test
    void shouldEndWithTwoForADirectoryOfFilesThatHasNoName() {
        expectExit(2, "host", "--listen", "unix:/tmp/x", "--files", "");
    }

    @Test
    void shouldEndWithTwoForAnAllowedPathThatIsRelative() {
        assertEquals(
            "vsock-proxy host: --allow-connect run/x.sock: neither an absolute path nor an @NAME"
                + " (see --help)",
            expectExit(2, "host", "--listen", "unix:/tmp/x", "--allow-connect", "run/x.sock"));
    }

    /** As it starts: the mount is there before anything is ready. */
    @Test
    void shouldRemoveItsMountWhenStoppedRightAfterMounting() throws IOException {
        Mounts.assumeMountable();
        final Path files = directory.resolve("files");
        try (ProxyProcess host = ProxyProcess.start(
            "host", "--listen", "unix:" + directory.resolve("link"), "--files", files.toString())) {
            while (Mounts.below(directory).isEmpty()) {
                assertTrue(host.isAlive(), host::toString);
                Thread.onSpinWait();
            }
            host.signal("TERM");
            assertEquals(0, host.awaitExit(), host::toString);
            assertEquals(List.of(), Mounts.below(directory));
        } finally {
            Mounts.detach(files);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"--version", "--help", "host --help", "guest --help"})
    void shouldEndWithZeroWhenAskedAboutItself(final String arguments) {
        try (ProxyProcess process = ProxyProcess.start(arguments.split(" ", -1))) {
            assertEquals(0, process.awaitExit(), process::toString);
            assertFalse(process.output().isEmpty(), process::toString);
            assertTrue(process.errors().isEmpty(), process::toString);
        }
    }

    @Test
    void shouldSayItsVersion() {
        try (ProxyProcess process = ProxyProcess.start("--version")) {
            assertEquals(0, process.awaitExit());
            assertTrue(process.output().get(0).matches("vsock-proxy \\d+\\.\\d+\\.\\d+.*"), process::toString);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"TERM", "INT"})
    void shouldStopWithZeroAndLeaveNoSockets(final String signal) {
        final Path link = directory.resolve("link");
        final Path hostForward = directory.resolve("host-forward");
        final Path guestForward = directory.resolve("guest-forward");
        try (ProxyProcess host = ProxyProcess.start(
                "host", "--listen", "unix:" + link, "--forward", hostForward + "=/nowhere").awaitReady();
            ProxyProcess guest = ProxyProcess.start(
                "guest", "--connect", "unix:" + link, "--forward", guestForward + "=/nowhere").awaitReady()) {
            assertTrue(Files.exists(link) && Files.exists(hostForward) && Files.exists(guestForward));
            assertEquals(1, host.output().size(), host::toString);
            assertEquals(1, guest.output().size(), guest::toString);
            guest.signal(signal);
            assertEquals(0, guest.awaitExit(), guest::toString);
            assertFalse(Files.exists(guestForward));
            assertTrue(host.isAlive());
            host.signal(signal);
            assertEquals(0, host.awaitExit(), host::toString);
            assertFalse(Files.exists(link));
            assertFalse(Files.exists(hostForward));
        }
    }

    /** The JVM closes the log's handlers while it shuts down. */
    @ParameterizedTest
    @ValueSource(strings = {"TERM", "INT"})
    void shouldLogWhatHappensWhileItStops(final String signal) {
        final Path link = directory.resolve("link");
        try (ProxyProcess host = ProxyProcess.start(
                "host", "--listen", "unix:" + link, "--drain-timeout", "500ms").awaitReady();
            RawPeer guest = RawPeer.guestOf(LinkAddress.unix(link.toString()))) {
            host.awaitErrorLine("session began");
            host.signal(signal);
            assertEquals(0, host.awaitExit(), host::toString);
            host.awaitErrorLine("guest 1: session ended: ");
            final String warning = host.awaitErrorLine("WARNING");
            assertEquals(
                "WARNING unix:" + link + ": stopped after draining for 500 ms, with 1 sessions still open; lost are "
                    + "0 bytes for applications here, 0 for the link, and what was not read yet", warning);
            assertTrue(guest.link().fd() >= 0);
        }
    }

    /** A guest that retried meanwhile would take its place in the backlog for a session. */
    @Test
    void shouldNotListenForGuestsWhileItDrains() {
        final Path link = directory.resolve("link");
        try (ProxyProcess host = ProxyProcess.start(
                "host", "--listen", "unix:" + link, "--drain-timeout", "60").awaitReady();
            RawPeer guest = RawPeer.guestOf(LinkAddress.unix(link.toString()))) {
            host.awaitErrorLine("session began");
            host.signal("TERM");
            Await.until(() -> !Files.exists(link), () -> "no socket to connect to");
            assertTrue(host.isAlive(), host::toString);
            // The place is free for its successor.
            try (ProxyProcess next = ProxyProcess.start("host", "--listen", "unix:" + link).awaitReady()) {
                guest.link().shutdownWrite();
                assertEquals(0, host.awaitExit(), host::toString);
                expectService(link);
                assertTrue(next.isAlive());
            }
        }
    }

    @Test
    void shouldKeepItsLoopOnTheProcessorThatItIsTold() throws IOException {
        final Path link = directory.resolve("link");
        // A processor that this process may use, however it is confined.
        final String cpu = allowedCpus(Path.of("/proc/self/status")).split("[-,]", 2)[0];
        try (ProxyProcess host = ProxyProcess.start("host", "--listen", "unix:" + link, "--cpu", cpu).awaitReady();
            Stream<Path> threads = Files.list(Path.of("/proc/" + host.pid() + "/task"))) {
            final List<Path> loops = threads.filter(thread -> name(thread).startsWith("vsock-proxy-HOS")).toList();
            assertEquals(1, loops.size(), loops::toString);
            assertEquals(cpu, allowedCpus(loops.get(0).resolve("status")));
        }
    }

    @Test
    void shouldEndWithOneForAProcessorThatIsNotThere() {
        expectExit(1, "host", "--listen", "unix:" + directory.resolve("link"), "--cpu", "1023");
    }

    @Test
    void shouldStopWithZeroWhileTheGuestWaitsForItsHost() {
        try (ProxyProcess guest = ProxyProcess.start("guest", "--connect", "unix:" + directory.resolve("nobody"))) {
            guest.awaitErrorLine("retrying");
            guest.signal("TERM");
            assertEquals(0, guest.awaitExit(), guest::toString);
            assertTrue(guest.output().isEmpty(), guest::toString);
        }
    }

    @Test
    void shouldTakeThePlaceOfASocketThatADeadProxyLeft() {
        final Path link = directory.resolve("link");
        try (ProxyProcess killed = ProxyProcess.start("host", "--listen", "unix:" + link).awaitReady()) {
            killed.signal("KILL");
            killed.awaitExit();
        }
        assertTrue(Files.exists(link));
        try (ProxyProcess next = ProxyProcess.start("host", "--listen", "unix:" + link).awaitReady()) {
            expectService(link);
            next.signal("TERM");
            assertEquals(0, next.awaitExit(), next::toString);
        }
    }

    @Test
    void shouldNotTakeThePlaceOfALivingProxy() {
        final Path link = directory.resolve("link");
        try (ProxyProcess living = ProxyProcess.start("host", "--listen", "unix:" + link).awaitReady()) {
            assertEquals(
                "vsock-proxy host: bind to " + link + " (another process listens there): EADDRINUSE",
                expectExit(1, "host", "--listen", "unix:" + link));
            assertTrue(Files.exists(link));
            expectService(link);
            assertTrue(living.isAlive());
        }
    }

    @Test
    void shouldNotTakeThePlaceOfALivingProxyWithAForward() {
        final Path forward = directory.resolve("forward");
        try (Endpoint living = Endpoint.listen(forward)) {
            expectExit(1, "host", "--listen", "unix:" + directory.resolve("link"), "--forward", forward + "=/nowhere");
            assertTrue(Files.exists(forward));
            assertFalse(Files.exists(directory.resolve("link")), "the socket that it had made");
            Endpoint.connect(forward).close();
            living.accept().close();
        }
    }

    @Test
    void shouldNotRemoveAFileOfThatName() throws IOException {
        final Path file = Files.writeString(directory.resolve("file"), "precious");
        final String line = expectExit(1, "host", "--listen", "unix:" + file);
        assertTrue(line.endsWith(file + " (which exists and is not a socket): EADDRINUSE"), line);
        assertEquals("precious", Files.readString(file));
    }

    @Test
    void shouldEndWithOneWhenItCannotListen() {
        expectExit(1, "host", "--listen", "unix:" + directory.resolve("no-such-directory/link"));
    }

    private static String allowedCpus(final Path status) throws IOException {
        final String key = "Cpus_allowed_list:";
        return Files.readAllLines(status).stream()
            .filter(line -> line.startsWith(key)).findFirst().orElseThrow().substring(key.length()).strip();
    }

    @Test
    void shouldExitWhenItCannotListenThoughItsHostIsThere() {
        final Path link = directory.resolve("link");
        final Path missing = directory.resolve("missing/socket");
        // A link on which the peer sends nothing.
        try (Endpoint listening = Endpoint.listen(link); ProxyProcess guest = ProxyProcess.start(
            "guest", "--connect", "unix:" + link, "--extensions", "off", "--forward", missing + "=/nowhere")) {
            assertEquals(1, guest.awaitExit(), guest::toString);
            guest.awaitErrorLine("bind to " + missing);
            assertTrue(listening.isReadable(), "a connection");
        }
    }

    @Test
    void shouldExitWhenItCannotListenOnceItsHostHasCome() {
        final Path link = directory.resolve("link");
        final Path missing = directory.resolve("missing/socket");
        try (ProxyProcess guest = ProxyProcess.start("guest", "--connect", "unix:" + link,
            "--forward", directory.resolve("first") + "=/nowhere", "--forward", missing + "=/nowhere")) {
            guest.awaitErrorLine("retrying");
            try (Endpoint listening = Endpoint.listen(link); RawPeer host = RawPeer.hostOf(listening)) {
                assertEquals(1, guest.awaitExit(), guest::toString);
                guest.awaitErrorLine("bind to " + missing);
                assertTrue(guest.errors().stream().noneMatch(line -> line.contains("\tat ")), guest::toString);
                assertFalse(Files.exists(directory.resolve("first")));
                host.expectEnd();
            }
        }
    }

    private static String name(final Path thread) {
        try {
            return Files.readString(thread.resolve("comm"));
        } catch (final IOException e) {
            // It has ended meanwhile.
            return "";
        }
    }

    /** A guest is answered. */
    private static void expectService(final Path link) {
        try (RawPeer guest = RawPeer.guestOf(LinkAddress.unix(link.toString()))) {
            guest.send(Messages.connectRequest(-1, "/nowhere"));
            assertEquals(Errno.EACCES, guest.receive().getConnectResponse().getErrorCode());
        }
    }

    /** Its one line. */
    private static String expectExit(final int expected, final String... arguments) {
        try (ProxyProcess process = ProxyProcess.start(arguments)) {
            assertEquals(expected, process.awaitExit(), process::toString);
            assertEquals(1, process.errors().size(), process::toString);
            assertTrue(process.errors().get(0).startsWith("vsock-proxy"), process::toString);
            assertTrue(process.output().isEmpty(), process::toString);
            return process.errors().get(0);
        }
    }
}
