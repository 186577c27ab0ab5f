/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.it;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.vsockproxy.testing.ProxyProcess;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFileAttributes;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * Who may connect to the sockets of a proxy.
 */
@Timeout(value = 60, unit = TimeUnit.SECONDS)
class SocketAccessTest {
    /** A permissive umask, to show that it does not matter. */
    private static final List<String> WITHOUT_UMASK = List.of("sh", "-c", "umask 0; exec \"$@\"", "sh");

    @TempDir
    Path directory;

    @Test
    void shouldLetOnlyItsUserAndGroupConnectByDefault() throws IOException {
        final Path link = directory.resolve("link");
        final Path forward = directory.resolve("forward");
        try (ProxyProcess host = ProxyProcess.start(
            WITHOUT_UMASK, "host", "--listen", "unix:" + link, "--forward", forward + "=/nowhere").awaitReady()) {
            assertEquals("rw-rw----", permissions(link));
            assertEquals("rw-rw----", permissions(forward));
            host.signal("TERM");
            assertEquals(0, host.awaitExit(), host::toString);
        }
    }

    @Test
    void shouldGiveItsSocketsTheModeAndGroupThatItIsTold() throws IOException {
        assumeTrue("root".equals(System.getProperty("user.name")), "only root may give a socket to any group");
        final Path link = directory.resolve("link");
        try (ProxyProcess host = ProxyProcess.start(
            WITHOUT_UMASK, "host", "--listen", "unix:" + link, "--socket-mode", "0620", "--socket-group", "daemon")
            .awaitReady()) {
            assertEquals("rw--w----", permissions(link));
            assertEquals("daemon", Files.readAttributes(link, PosixFileAttributes.class).group().getName());
            host.signal("TERM");
            assertEquals(0, host.awaitExit(), host::toString);
        }
    }

    @Test
    void shouldEndWithOneAndLeaveNoSocketForAGroupThatIsNone() {
        final Path link = directory.resolve("link");
        try (ProxyProcess host = ProxyProcess.start(
            "host", "--listen", "unix:" + link, "--socket-group", "no-such-group")) {
            assertEquals(1, host.awaitExit(), host::toString);
            assertEquals(1, host.errors().size(), host::toString);
            assertTrue(host.errors().get(0).contains("no-such-group"), host::toString);
            assertFalse(Files.exists(link));
        }
    }

    private static String permissions(final Path path) throws IOException {
        return PosixFilePermissions.toString(Files.getPosixFilePermissions(path));
    }
}
