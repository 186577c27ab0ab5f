/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.socket;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.vsockproxy.loop.EventLoop;
import io.vsockproxy.posix.Constants;
import io.vsockproxy.posix.Errno;
import io.vsockproxy.posix.OwnedFd;
import io.vsockproxy.posix.SocketAddress;
import io.vsockproxy.posix.Syscalls;
import io.vsockproxy.testing.Endpoint;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(value = 60, unit = TimeUnit.SECONDS)
class SocketConnectorTest {
    private static final long TIMEOUT_NS = TimeUnit.MILLISECONDS.toNanos(400);
    private static final long LONG_NS = TimeUnit.SECONDS.toNanos(30);
    /** After 5, 15, 35, 75, 155, 255 and 355 ms at the earliest, and at the end of the time. */
    private static final int MOST_RETRIES = 8;
    private static final int UNKNOWN = -1;

    @TempDir
    private Path directory;
    private int errno = UNKNOWN;

    @Test
    void shouldWaitLongerEachTimeUpToABound() {
        final List<Long> waitsMs = new ArrayList<>();
        long waitNs = TimeUnit.MILLISECONDS.toNanos(5);
        for (int i = 0; i < 7; i++) {
            waitsMs.add(TimeUnit.NANOSECONDS.toMillis(waitNs));
            waitNs = SocketConnector.nextRetryNs(waitNs);
        }
        assertEquals(List.of(5L, 10L, 20L, 40L, 80L, 100L, 100L), waitsMs);
    }

    @Test
    void shouldTryAFullBacklogFewTimesUntilTheTimeIsUp() {
        final Path path = directory.resolve("full");
        final List<Throwable> faults = new ArrayList<>();
        try (Endpoint listener = Endpoint.listen(path);
            SocketAddress address = SocketAddress.unix(path.toString());
            EventLoop loop = new EventLoop(0, faults::add)) {
            assertEquals(0, Syscalls.listen(listener.fd(), 0));
            try (Endpoint only = Endpoint.connect(path)) {
                final long startNs = System.nanoTime();
                assertNotNull(connect(loop, address));
                int retries = 0;
                while (errno == UNKNOWN) {
                    retries += loop.turn(LONG_NS);
                }
                assertEquals(Errno.ETIMEDOUT, errno);
                assertTrue(System.nanoTime() - startNs >= TIMEOUT_NS);
                assertTrue(retries <= MOST_RETRIES, "" + retries);
                // The backlog was full of this one.
                only.send("x");
                try (Endpoint accepted = listener.accept()) {
                    assertEquals("x", accepted.readText(1));
                }
            }
        }
        assertEquals(List.of(), faults);
    }

    private SocketConnector connect(final EventLoop loop, final SocketAddress address) {
        return SocketConnector.connect(
            loop, Constants.AF_UNIX, address, TIMEOUT_NS, fd -> true, new SocketConnector.Completion() {
                @Override
                public void onConnected(final OwnedFd socket) {
                    socket.close();
                    errno = 0;
                }

                @Override
                public void onFailed(final int failure) {
                    errno = failure;
                }
            });
    }
}
