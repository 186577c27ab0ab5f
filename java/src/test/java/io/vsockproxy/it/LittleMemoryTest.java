/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.it;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.vsockproxy.posix.Constants;
import io.vsockproxy.posix.Errno;
import io.vsockproxy.testing.Await;
import io.vsockproxy.testing.Endpoint;
import io.vsockproxy.testing.Messages;
import io.vsockproxy.testing.ProxyProcess;
import io.vsockproxy.testing.RawPeer;
import io.vsockproxy.testing.TestLink;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * Proxy processes that for a while have no address space left for a session.
 */
@Timeout(value = 120, unit = TimeUnit.SECONDS)
class LittleMemoryTest {
    private static final String NO_SESSION = ": no session: mmap of ";
    /** Of a session, the inbound buffer is 18 MiB and the outbound ring 4 MiB. Less is not left, for the JVM's sake. */
    private static final long[] LEFT_KIB = {12 << 10, 20 << 10};
    private static final int GUESTS = 12;
    /** Twelve inbound buffers would be more. */
    private static final long MAX_GROWTH_KIB = 140 << 10;

    @TempDir
    Path directory;

    @Test
    void shouldCloseTheLinkOfAGuestWithoutMemoryForItAndServeTheNext() throws Exception {
        try (ProxyProcess host = ProxyProcess.start("host", "--listen", TestLink.in(directory).toString())
            .awaitReady()) {
            serve();
            // Otherwise that session could still count if the host is held up by other processes.
            host.awaitErrorLine("session ended: ");
            final int descriptors = Await.stable(host::descriptorCount);
            for (final long leftKib : LEFT_KIB) {
                final long before = leave(host, leftKib);
                for (int i = 0; i < GUESTS; i++) {
                    try (RawPeer guest = RawPeer.guestOf(TestLink.in(directory))) {
                        guest.expectEnd();
                    }
                }
                limit(host, "unlimited");
                host.awaitDescriptorCount(descriptors);
                final long grown = host.virtualKib() - before;
                assertTrue(grown < MAX_GROWTH_KIB, () -> "grown by " + grown + " KiB");
            }
            // The same event is not logged again.
            Await.until(() -> refusals(host) > 0, host::toString);
            assertTrue(refusals(host) < (long) LEFT_KIB.length * GUESTS, host::toString);
            serve();
        }
    }

    @Test
    void shouldConnectAgainWhenThereIsMemory() throws Exception {
        final Path link = directory.resolve("link");
        try (ProxyProcess guest = ProxyProcess.start("guest", "--connect", "unix:" + link)) {
            try (Endpoint listening = Endpoint.listen(link); RawPeer host = RawPeer.hostOf(listening)) {
                host.link().await(Constants.EPOLLIN, "a greeting");
                guest.awaitReady();
            }
            guest.awaitErrorLine("session ended: ");
            leave(guest, LEFT_KIB[0]);
            Files.delete(link);
            try (Endpoint listening = Endpoint.listen(link)) {
                Await.until(() -> guest.errors().stream().anyMatch(line -> line.contains(NO_SESSION)), guest::toString);
                limit(guest, "unlimited");
                // The links of the failed attempts come first.
                Await.until(() -> isGreeted(listening), guest::toString);
            }
        }
    }

    private static long refusals(final ProxyProcess host) {
        return host.errors().stream().filter(line -> line.contains(NO_SESSION)).count();
    }

    private static boolean isGreeted(final Endpoint listening) {
        try (Endpoint link = listening.accept()) {
            link.await(Constants.EPOLLIN, "a greeting, or the end");
            return link.receive().bytes().length > 0;
        }
    }

    private void serve() {
        try (RawPeer guest = RawPeer.guestOf(TestLink.in(directory))) {
            guest.send(Messages.fstatRequest(-1, 1));
            assertEquals(Errno.EBADF, guest.receive().getFstatResponse().getErrorCode());
        }
    }

    /** Leaves it so much more address space than it has now, once that changes no more: how much it has. */
    private static long leave(final ProxyProcess proxy, final long kib) throws IOException, InterruptedException {
        final long now = Await.stable(() -> (int) proxy.virtualKib());
        limit(proxy, Long.toString((now + kib) << 10));
        return now;
    }

    /** Limits the address space, in bytes. */
    private static void limit(final ProxyProcess proxy, final String bytes) throws IOException, InterruptedException {
        final Process prlimit = new ProcessBuilder(
            "prlimit", "--pid", Long.toString(proxy.pid()), "--as=" + bytes + ":unlimited").inheritIO().start();
        assertEquals(0, prlimit.waitFor());
    }
}
