/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.session;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.vsockproxy.posix.Constants;
import io.vsockproxy.posix.Errno;
import io.vsockproxy.posix.OwnedFd;
import io.vsockproxy.posix.SocketAddress;
import io.vsockproxy.posix.Syscalls;
import java.nio.charset.StandardCharsets;
import java.util.List;
import org.agrona.concurrent.UnsafeBuffer;
import org.junit.jupiter.api.Test;

/**
 * The set of allowed paths, while it changes.
 */
class AllowedPathsTest {
    @Test
    void shouldFindExactlyThePathsThatAreAllowedNow() {
        try (AllowedPaths paths = new AllowedPaths(List.of("/run/a", "@a"))) {
            assertNotNull(find(paths, "/run/a"));
            assertNotNull(find(paths, "@a"));
            assertNull(find(paths, "/run/"));
            assertNull(find(paths, "/run/ab"));
            assertNull(find(paths, "a"));

            paths.replace(List.of("/run/b"));
            assertNull(find(paths, "/run/a"));
            assertNotNull(find(paths, "/run/b"));
            paths.replace(List.of("/run/a"));
            assertNotNull(find(paths, "/run/a"));

            paths.replace(List.of());
            assertNull(find(paths, "/run/a"));
        }
    }

    @Test
    void shouldKeepAnAddressThatIsNoLongerAllowedWhileAConnectToItIsUnderWay() {
        try (AllowedPaths paths = new AllowedPaths(List.of("/nowhere/a", "/nowhere/b"));
            OwnedFd socket = OwnedFd.of(Syscalls.socket(Constants.AF_UNIX, Constants.SOCK_STREAM, 0))) {
            final AllowedPaths.Entry first = find(paths, "/nowhere/a");
            final AllowedPaths.Entry second = find(paths, "/nowhere/b");
            final SocketAddress inUse = first.borrow();
            assertSame(inUse, first.borrow());
            final SocketAddress notInUse = second.borrow();
            second.giveBack();
            assertEquals(-Errno.ENOENT, notInUse.connect(socket.fd()));

            paths.replace(List.of("/nowhere/c"));
            assertEquals(-Errno.EFAULT, notInUse.connect(socket.fd()));
            first.giveBack();
            assertEquals(-Errno.ENOENT, inUse.connect(socket.fd()));
            // A path that has been allowed again meanwhile is a new entry.
            paths.replace(List.of("/nowhere/a"));
            first.giveBack();
            assertEquals(-Errno.EFAULT, inUse.connect(socket.fd()));
            assertEquals(-Errno.ENOENT, find(paths, "/nowhere/a").borrow().connect(socket.fd()));
        }
    }

    @Test
    void shouldRefuseWhatIsNoPath() {
        assertThrows(IllegalArgumentException.class, () -> new AllowedPaths(List.of("")));
        assertThrows(IllegalArgumentException.class, () -> new AllowedPaths(List.of("@")));
    }

    private static AllowedPaths.Entry find(final AllowedPaths paths, final String path) {
        // After other bytes, as in a frame.
        final byte[] bytes = ("x" + path + "x").getBytes(StandardCharsets.UTF_8);
        return paths.find(new UnsafeBuffer(bytes), 1, bytes.length - 2);
    }
}
