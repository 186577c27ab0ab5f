/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.it;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.vsockproxy.posix.Constants;
import io.vsockproxy.posix.Errno;
import io.vsockproxy.proto.VSockMessage;
import io.vsockproxy.testing.Await;
import io.vsockproxy.testing.Background;
import io.vsockproxy.testing.Endpoint;
import io.vsockproxy.testing.Messages;
import io.vsockproxy.testing.ProxyProcess;
import io.vsockproxy.testing.RawPeer;
import io.vsockproxy.testing.TestLink;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * A guest that reads nothing, and closes connections whose applications have written what there is no room to send.
 */
@Timeout(value = 120, unit = TimeUnit.SECONDS)
class ClosedBeforeReadTest {
    private static final int CONNECTIONS = 90_000;
    private static final int AT_ONCE = 100;
    /** Closed later than that, so that the proxy has looked for what the application has written. */
    private static final int STAY_OPEN = 2 * AT_ONCE;
    /** Less than the state of as many connections. */
    private static final List<String> SMALL_HEAP = List.of("env", "_JAVA_OPTIONS=-Xmx16m");

    @TempDir
    Path directory;

    @Test
    void shouldKeepNothingOfThemAndServeTheNextGuest() {
        final Path target = directory.resolve("target");
        try (Endpoint listening = Endpoint.listen(target);
            ProxyProcess host = ProxyProcess.start(SMALL_HEAP,
                "host", "--listen", TestLink.in(directory).toString(), "--allow-connect", target.toString())
                .awaitReady();
            RawPeer silent = RawPeer.guestOf(TestLink.in(directory))) {
            silent.send(Messages.connectRequest(-1, target.toString()));
            try (Endpoint flooding = listening.accept()) {
                flood(flooding);
                final AtomicInteger greeted = new AtomicInteger();
                final CompletableFuture<Void> applications = Background.start(() -> {
                    greet(listening, greeted);
                    return null;
                });
                for (int first = 0; first < CONNECTIONS; first += AT_ONCE) {
                    silent.send(RawPeer.frames(connectAndClose(target, first)));
                    final int expected = first + AT_ONCE;
                    Await.until(() -> greeted.get() >= expected || !host.isAlive(), host::toString);
                }
                Background.join(applications);
                try (RawPeer guest = RawPeer.guestOf(TestLink.in(directory))) {
                    guest.send(Messages.connectRequest(-1, target.toString()));
                    try (Endpoint served = listening.accept()) {
                        served.send("served");
                        guest.receive();
                        assertEquals("served", guest.receive().getData().getBlob().toStringUtf8());
                    }
                }
            }
        }
    }

    /** Until the proxy reads no more of it, because it has no room. */
    private static void flood(final Endpoint application) {
        final byte[] bytes = new byte[64 << 10];
        while ((application.poll(Constants.EPOLLOUT, 500) & Constants.EPOLLOUT) != 0) {
            final int sent = application.trySend(bytes, 0, bytes.length);
            assertTrue(sent > 0 || sent == -Errno.EAGAIN, () -> "send: " + sent);
        }
    }

    /** The requests for some connections, and a Close for as many earlier ones, whose handles are consecutive. */
    private static VSockMessage[] connectAndClose(final Path target, final int first) {
        final List<VSockMessage> messages = new ArrayList<>();
        for (int i = first; i < first + AT_ONCE; i++) {
            messages.add(Messages.connectRequest(-1, target.toString()));
            if (i >= STAY_OPEN) {
                messages.add(Messages.close(2 + i - STAY_OPEN));
            }
        }
        return messages.toArray(VSockMessage[]::new);
    }

    private static void greet(final Endpoint listening, final AtomicInteger greeted) {
        final Deque<Endpoint> open = new ArrayDeque<>();
        for (int i = 0; i < CONNECTIONS; i++) {
            final Endpoint application = listening.accept();
            application.send("hi");
            greeted.incrementAndGet();
            open.add(application);
            if (open.size() > 2 * STAY_OPEN) {
                open.remove().close();
            }
        }
        open.forEach(Endpoint::close);
    }
}
