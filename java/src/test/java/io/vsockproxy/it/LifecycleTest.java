/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.it;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.vsockproxy.LinkAddress;
import io.vsockproxy.posix.Descriptors;
import io.vsockproxy.posix.SplicePipe;
import io.vsockproxy.testing.Await;
import io.vsockproxy.testing.Endpoint;
import io.vsockproxy.testing.LogCapture;
import io.vsockproxy.testing.Messages;
import io.vsockproxy.testing.ProxyProcess;
import io.vsockproxy.testing.RunningGuest;
import io.vsockproxy.testing.RunsOverVsock;
import io.vsockproxy.testing.TestLink;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * Guests that come and go, and a host that is restarted.
 */
@RunsOverVsock
@Timeout(value = 90, unit = TimeUnit.SECONDS)
class LifecycleTest {
    private static final int GUESTS = 3;

    @TempDir
    Path directory;
    private int descriptorsBefore;

    @BeforeEach
    void countDescriptors() {
        descriptorsBefore = Await.stable(Descriptors::count);
    }

    @AfterEach
    void compareDescriptors() {
        Await.untilEqual(descriptorsBefore, Descriptors::count, "open descriptors");
    }

    @Test
    void shouldServeThreeGuestsAndKeepTheOthersWhenOneIsKilled() {
        final LinkAddress link = TestLink.in(directory);
        final Path target = directory.resolve("target");
        final ProxyProcess[] guests = new ProxyProcess[GUESTS];
        final Endpoint[] applications = new Endpoint[GUESTS];
        final Endpoint[] servers = new Endpoint[GUESTS];
        try (Endpoint listening = Endpoint.listen(target);
            ProxyProcess host = startHost(link, target)) {
            final int descriptorsOfHost = Await.stable(host::descriptorCount);
            for (int i = 0; i < GUESTS; i++) {
                guests[i] = startGuest(i, link, target);
                applications[i] = Endpoint.connect(forward(i));
                servers[i] = listening.accept();
                exchange(applications[i], servers[i]);
            }
            // A pipe is passed on each, so that the session has more than one kind of stream.
            final Endpoint[][] pipes = new Endpoint[GUESTS][];
            final Endpoint[] received = new Endpoint[GUESTS];
            for (int i = 0; i < GUESTS; i++) {
                pipes[i] = Endpoint.pipe();
                servers[i].send("p", pipes[i][0]);
                pipes[i][0].close();
                received[i] = applications[i].receive().only();
                pipes[i][1].write("through");
                assertEquals("through", received[i].readText(7));
            }

            guests[1].signal("KILL");
            servers[1].expectEnd();
            pipes[1][1].awaitHangUp();
            // The descriptors of the killed guest's application end too, since the guest had their other ends.
            applications[1].expectEnd();
            received[1].expectEnd();
            for (final int i : new int[] {0, 2}) {
                exchange(applications[i], servers[i]);
                pipes[i][1].write("as ever");
                assertEquals("as ever", received[i].readText(7));
            }
            for (int i = 0; i < GUESTS; i++) {
                Endpoint.closeAll(applications[i], servers[i], pipes[i][1], received[i]);
                guests[i].close();
            }
            host.awaitDescriptorCount(descriptorsOfHost);
            assertTrue(host.isAlive());
        }
    }

    @Test
    void shouldCloseItsStreamsAndConnectAgainWhenTheHostReturns() {
        final LinkAddress link = TestLink.in(directory);
        final Path target = directory.resolve("target");
        try (Endpoint listening = Endpoint.listen(target)) {
            final ProxyProcess first = startHost(link, target);
            try (ProxyProcess guest = startGuest(0, link, target)) {
                final int descriptorsOfGuest = Await.stable(guest::descriptorCount);
                for (int round = 0; round < 3; round++) {
                    final ProxyProcess host = round == 0 ? first : startHost(link, target);
                    // The guest finds a new host at its next attempt.
                    final Endpoint application = Endpoint.connect(forward(0));
                    final Endpoint server = listening.accept();
                    exchange(application, server);
                    if (round % 2 == 0) {
                        host.signal("KILL");
                    } else {
                        host.signal("TERM");
                    }
                    host.awaitExit();
                    host.close();
                    application.expectEnd();
                    server.expectEnd();
                    assertTrue(Files.exists(forward(0)), "the guest's listening socket");
                    Endpoint.closeAll(application, server);
                    // Everything except the link and its pipes.
                    guest.awaitDescriptorCount(descriptorsOfGuest - 1 - 2 * SplicePipe.DESCRIPTOR_COUNT);
                }
                assertEquals(1, guest.output().size(), guest::toString);
            }
        }
    }

    @Test
    void shouldHaveConnectionsWaitWhileThereIsNoHost() {
        try (LogCapture log = new LogCapture(); RunningGuest guest = new RunningGuest()) {
            guest.host().link().close();
            log.awaitOne("session ended: ");
            final Endpoint application = guest.connectApplication();
            application.send("patience");
            final long cookie = guest.acceptAgain().receive().getConnectRequest().getCookie();
            guest.host().send(Messages.connectResponse(cookie, 0, 1));
            assertEquals("patience", guest.host().receive().getData().getBlob().toStringUtf8());
            application.close();
        }
    }

    @Test
    void shouldCloseConnectionsThatWaitForAnAnswerWhenTheSessionEnds() {
        try (RunningGuest guest = new RunningGuest(); Endpoint application = guest.connectApplication()) {
            guest.host().receive();
            guest.host().link().close();
            application.expectEnd();
            guest.acceptAgain();
        }
    }

    @Test
    void shouldLeaveNothingOpenWhenAProxyIsClosedWhileReadersCatchUp() {
        final RunningGuest guest = new RunningGuest();
        try (LogCapture log = new LogCapture(); Endpoint application = guest.connectApplication()) {
            final long cookie = guest.host().receive().getConnectRequest().getCookie();
            guest.host().send(Messages.connectResponse(cookie, 0, 1));
            // More than its reader's socket holds: the rest waits in the guest, even after the end of the session.
            guest.host().send(Messages.data(1, new byte[2 << 20]));
            guest.host().link().awaitTaken();
            guest.host().link().close();
            log.awaitOne("session ended: ");
            guest.close();
            assertTrue(application.readToEnd().length < 2 << 20);
        }
    }

    private ProxyProcess startHost(final LinkAddress link, final Path target) {
        return ProxyProcess.start("host", "--listen", link.toString(), "--allow-connect", target.toString())
            .awaitReady();
    }

    private ProxyProcess startGuest(final int index, final LinkAddress link, final Path target) {
        return ProxyProcess.start("guest", "--connect", link.toString(), "--forward", forward(index) + "=" + target)
            .awaitReady();
    }

    private Path forward(final int index) {
        return directory.resolve("forward-" + index);
    }

    private static void exchange(final Endpoint application, final Endpoint server) {
        application.send("ping");
        assertEquals("ping", server.readText(4));
        server.send("pong");
        assertEquals("pong", application.readText(4));
    }
}
