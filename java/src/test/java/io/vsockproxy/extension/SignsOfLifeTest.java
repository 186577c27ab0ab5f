/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.extension;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.vsockproxy.Role;
import io.vsockproxy.config.Extensions;
import io.vsockproxy.config.SessionLimits;
import io.vsockproxy.proto.Close.Notice;
import io.vsockproxy.proto.VSockMessage;
import io.vsockproxy.testing.Await;
import io.vsockproxy.testing.Background;
import io.vsockproxy.testing.Endpoint;
import io.vsockproxy.testing.Limits;
import io.vsockproxy.testing.Messages;
import io.vsockproxy.testing.MixedPair;
import io.vsockproxy.testing.NoticePeer;
import io.vsockproxy.testing.RawPeer;
import io.vsockproxy.testing.RunningHost;
import io.vsockproxy.testing.RunningHost.Connection;
import io.vsockproxy.testing.SessionProbe;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;

/**
 * Peers that are silent and peers that only seem so. A peer's silence ends its session after four intervals, which is
 * longer than a busy machine keeps a test from answering, or a proxy from a sign of life. Apart from that, no test
 * expects something to happen within a certain time, only that it happens, or that it has not happened after more
 * intervals.
 */
@Timeout(value = 60, unit = TimeUnit.SECONDS)
class SignsOfLifeTest {
    private static final long HEARTBEAT_NS = TimeUnit.MILLISECONDS.toNanos(350);
    private static final Extensions SETTINGS = new Extensions(true, 256 << 10, 4 << 20, HEARTBEAT_NS, 0);
    /** Beyond the four intervals after which a silent peer's session ends. */
    private static final long LONG_NS = 6 * HEARTBEAT_NS;
    private static final SessionLimits LIMITS = Limits.with(Map.of(
        "maxSessionQueueLength", 256L << 10,
        "stallTimeoutNs", TimeUnit.SECONDS.toNanos(50)));

    @RegisterExtension
    static final RunningHost HOST = new RunningHost(LIMITS, SETTINGS);

    @Test
    void shouldEndTheSessionOfAPeerThatGreetedAndIsSilent() {
        final NoticePeer guest = greetedGuest();
        final Connection connection = connect(guest);
        int pings = 0;
        for (VSockMessage next = guest.next(); next != null; next = guest.next()) {
            assertTrue(NoticePeer.isNotice(next, Notice.PING), next::toString);
            pings++;
        }
        assertTrue(pings >= 1, "pings before the end: " + pings);
        final String line = HOST.log().awaitOne("session ended: ");
        assertTrue(line.contains("the peer has been silent for "), line);
        connection.application().expectEnd();
    }

    @Test
    void shouldKeepTheSessionOfAPeerThatAnswers() {
        final NoticePeer guest = greetedGuest();
        final Connection connection = connect(guest);
        final long startNs = System.nanoTime();
        int pongs = 0;
        while (pongs < 4 || System.nanoTime() - startNs < LONG_NS) {
            final VSockMessage ping = guest.next(message -> NoticePeer.isNotice(message, Notice.PING), "a PING");
            guest.send(NoticePeer.notice(Notice.PONG, 0, ping.getClose().getAmount()));
            pongs++;
        }
        guest.send(Messages.data(connection.handle(), "alive"));
        assertEquals("alive", connection.application().readText(5));
    }

    @Test
    void shouldNeitherPingNorEndTheSessionOfAPeerThatHasNotGreeted() throws InterruptedException {
        final NoticePeer guest = HOST.closing(new NoticePeer(Endpoint.connect(HOST.link())));
        final Connection connection = connect(guest);
        // A fixed wait, because the test is that nothing happens in that time.
        Thread.sleep(TimeUnit.NANOSECONDS.toMillis(LONG_NS));
        guest.send(Messages.data(connection.handle(), "alive"));
        assertEquals("alive", connection.application().readText(5));
        connection.application().send("x");
        assertTrue(guest.next().hasData(), "nothing but the Data has come");
    }

    @Test
    void shouldNotCountSilenceWhileTheProxyItselfDoesNotRead() throws InterruptedException {
        final NoticePeer guest = greetedGuest();
        final Connection connection = connect(guest);
        final byte[] frame = RawPeer.frame(Messages.data(connection.handle(), new byte[50_000]));
        final long total = guest.link().sendUntilStalled(frame, 100 << 20);
        assertTrue(new SessionProbe(HOST.proxy()).isBlocked());
        Thread.sleep(TimeUnit.NANOSECONDS.toMillis(LONG_NS));
        assertEquals(1, new SessionProbe(HOST.proxy()).sessionCount());
        final CompletableFuture<byte[]> all =
            Background.start(connection.application()::readToEnd);
        final int rounds = guest.link().sendRest(frame, total);
        guest.send(Messages.close(connection.handle()));
        assertEquals(rounds * 50_000, Background.join(all).length);
    }

    @Test
    void shouldKeepTheSessionOfAPeerThatIsMerelyBlocked() throws InterruptedException {
        final List<Endpoint> opened = new ArrayList<>();
        try (MixedPair pair = new MixedPair(SETTINGS, SETTINGS, LIMITS)) {
            // Enough stalled streams to use up the host's limit, so that it stops reading the link.
            for (int i = 0; i < 8; i++) {
                opened.addAll(List.of(pair.connect(Role.GUEST)));
            }
            final byte[] piece = new byte[50_000];
            Await.until(
                () -> {
                    for (int i = 0; i < opened.size(); i += 2) {
                        opened.get(i).trySend(piece, 0, piece.length);
                    }
                    return pair.probe(Role.HOST).isBlocked();
                },
                () -> "the host to be blocked");
            // A fixed wait, because the test is that nothing happens in that time.
            Thread.sleep(TimeUnit.NANOSECONDS.toMillis(LONG_NS));
            assertEquals(List.of(), pair.log().linesWith("session ended"));
            assertTrue(pair.probe(Role.HOST).isBlocked());
            opened.forEach(Endpoint::close);
            pair.expectNothingLeft();
        } finally {
            opened.forEach(Endpoint::close);
        }
    }

    private static NoticePeer greetedGuest() {
        final NoticePeer guest = HOST.closing(new NoticePeer(Endpoint.connect(HOST.link())));
        guest.send(NoticePeer.greeting(256 << 10));
        return guest;
    }

    private static Connection connect(final NoticePeer guest) {
        guest.send(Messages.connectRequest(-1, HOST.targetPath().toString()));
        final Endpoint application = HOST.closing(HOST.target().accept());
        final VSockMessage response = guest.next(VSockMessage::hasConnectResponse, "the ConnectResponse");
        return new Connection(response.getConnectResponse().getHandle(), application);
    }
}
