/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.socket;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.vsockproxy.config.SocketAccess;
import io.vsockproxy.posix.Descriptors;
import io.vsockproxy.posix.Errno;
import io.vsockproxy.posix.PosixException;
import io.vsockproxy.testing.Await;
import io.vsockproxy.testing.Endpoint;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * Socket files: which are replaced, and which are removed at the end.
 */
@Timeout(value = 60, unit = TimeUnit.SECONDS)
class UnixListeningSocketTest {
    @TempDir
    Path directory;
    private Path path;
    private int descriptorsBefore;

    @BeforeEach
    void start() {
        path = directory.resolve("socket");
        descriptorsBefore = Await.stable(Descriptors::count);
    }

    @AfterEach
    void compareDescriptors() {
        Await.untilEqual(descriptorsBefore, Descriptors::count, "open descriptors");
    }

    @Test
    void shouldRemoveItsSocket() {
        final UnixListeningSocket socket = open();
        socket.remove();
        assertFalse(Files.exists(path));
        // Closing it again does nothing.
        socket.remove();
        socket.descriptor().close();
    }

    @Test
    void shouldLeaveTheSocketThatAnotherHasPutInItsPlace() throws IOException {
        final UnixListeningSocket replaced = open();
        Files.delete(path);
        final UnixListeningSocket another = open();
        replaced.remove();
        replaced.descriptor().close();
        try (Endpoint application = Endpoint.connect(path)) {
            application.send("x");
        }
        another.remove();
        assertFalse(Files.exists(path));
        another.descriptor().close();
    }

    @Test
    void shouldLeaveAFileThatHasTakenItsPlace() throws IOException {
        final UnixListeningSocket socket = open();
        Files.delete(path);
        Files.createSymbolicLink(path, directory.resolve("elsewhere"));
        socket.remove();
        assertTrue(Files.isSymbolicLink(path));
        socket.descriptor().close();
    }

    @Test
    void shouldReplaceASocketThatNobodyListensOnAndNoOther() throws IOException {
        final UnixListeningSocket dead = open();
        assertEquals(Errno.EADDRINUSE, assertThrows(PosixException.class, this::open).errno());
        dead.descriptor().close();
        final UnixListeningSocket next = open();
        try (Endpoint application = Endpoint.connect(path)) {
            application.send("x");
        }
        next.remove();
        next.descriptor().close();
        Files.createFile(path);
        assertEquals(Errno.EADDRINUSE, assertThrows(PosixException.class, this::open).errno());
        assertTrue(Files.isRegularFile(path));
    }

    private UnixListeningSocket open() {
        return UnixListeningSocket.open(path.toString(), SocketAccess.DEFAULT);
    }
}
