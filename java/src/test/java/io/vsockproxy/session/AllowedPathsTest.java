/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.session;

import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.vsockproxy.posix.SocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.List;
import org.agrona.concurrent.UnsafeBuffer;
import org.junit.jupiter.api.Test;

/**
 * Paths that may be asked for, as they change.
 */
class AllowedPathsTest {
    @Test
    void shouldFindExactlyThePathsThatAreAllowedNow() {
        try (AllowedPaths paths = new AllowedPaths(List.of("/run/a", "@a"))) {
            final SocketAddress address = find(paths, "/run/a");
            assertNotNull(address);
            assertNotNull(find(paths, "@a"));
            assertNull(find(paths, "/run/"));
            assertNull(find(paths, "/run/ab"));
            assertNull(find(paths, "a"));

            paths.replace(List.of("/run/b"));
            assertNull(find(paths, "/run/a"));
            assertNotNull(find(paths, "/run/b"));

            // A connect to it may have been under way all the time.
            paths.replace(List.of("/run/a"));
            assertSame(address, find(paths, "/run/a"));

            paths.replace(List.of());
            assertNull(find(paths, "/run/a"));
        }
    }

    @Test
    void shouldRefuseWhatIsNoPath() {
        assertThrows(IllegalArgumentException.class, () -> new AllowedPaths(List.of("")));
        assertThrows(IllegalArgumentException.class, () -> new AllowedPaths(List.of("@")));
    }

    private static SocketAddress find(final AllowedPaths paths, final String path) {
        // Behind something else, as in a frame.
        final byte[] bytes = ("x" + path + "x").getBytes(StandardCharsets.UTF_8);
        return paths.find(new UnsafeBuffer(bytes), 1, bytes.length - 2);
    }
}
