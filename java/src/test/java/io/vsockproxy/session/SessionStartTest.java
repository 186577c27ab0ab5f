/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.session;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.vsockproxy.posix.Constants;
import io.vsockproxy.posix.Descriptors;
import io.vsockproxy.posix.Errno;
import io.vsockproxy.posix.PosixException;
import io.vsockproxy.testing.Endpoint;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * A session that cannot begin.
 */
@Timeout(value = 60, unit = TimeUnit.SECONDS)
class SessionStartTest {
    @Test
    void shouldCloseEverythingWhenEpollCannotWatchItsLink(@TempDir final Path directory) throws IOException {
        final Path file = Files.createFile(directory.resolve("file"));
        try (FuzzedProxy proxy = new FuzzedProxy(false)) {
            final int before = Descriptors.count();
            // A file, which epoll never accepts, represents a socket for which the user has too many watches.
            final Session session = proxy.session(Endpoint.open(file, Constants.O_RDWR), true, true, true);
            assertEquals(Errno.EPERM, assertThrows(PosixException.class, session::start).errno());
            assertEquals(before, Descriptors.count());
            assertTrue(session.hasEnded());
            assertTrue(session.isSettled());
            session.close();
            proxy.turnUntilIdle();
            assertEquals(List.of(), proxy.faults);
        }
    }
}
