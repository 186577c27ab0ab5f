/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.it;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.vsockproxy.Forward;
import io.vsockproxy.Role;
import io.vsockproxy.VsockProxy;
import io.vsockproxy.posix.Errno;
import io.vsockproxy.testing.Endpoint;
import io.vsockproxy.testing.LogCapture;
import io.vsockproxy.testing.Messages;
import io.vsockproxy.testing.RawPeer;
import io.vsockproxy.testing.RunsOverVsock;
import io.vsockproxy.testing.TestLink;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * The reason why a connection was refused is in the logs of both sides.
 */
@RunsOverVsock
@Timeout(value = 60, unit = TimeUnit.SECONDS)
class RefusalLogTest {
    @TempDir
    Path directory;

    private LogCapture log;
    private VsockProxy host;

    @BeforeEach
    void start() {
        log = new LogCapture();
        host = VsockProxy.launch(new VsockProxy.Context().role(Role.HOST).address(TestLink.in(directory))
            .allowConnect(nothing()));
        host.ready().join();
    }

    @AfterEach
    void stop() {
        host.close();
        log.close();
    }

    @Test
    void shouldNameThePathThatIsNotAllowed() {
        expectRefusal(directory + "/nothign");
        final String here = log.awaitOne("refused to connect to");
        assertTrue(here.startsWith("WARNING guest 1"), here);
        assertTrue(here.endsWith(
            ": refused to connect to '" + directory + "/nothign', which is not allowed: EACCES"), here);
        final String there = log.awaitOne("could not connect an application to");
        assertTrue(there.startsWith("INFO host 1"), there);
        assertTrue(there.endsWith(
            ": could not connect an application to '" + directory + "/nothign' there: EACCES"), there);
    }

    @Test
    void shouldSayThatNobodyListensThere() {
        expectRefusal(nothing());
        final String here = log.awaitOne("could not connect to");
        assertTrue(here.endsWith(": could not connect to '" + nothing() + "': ENOENT"), here);
        final String there = log.awaitOne("could not connect an application to");
        assertTrue(there.endsWith("'" + nothing() + "' there: ENOENT"), there);
    }

    @Test
    void shouldNotLogWhatAPeerLikes() {
        try (RawPeer guest = RawPeer.guestOf(TestLink.in(directory))) {
            for (int i = 0; i < 100; i++) {
                guest.send(Messages.connectRequest(-1, "/x\nERROR \u001b[2Jfaked" + "x".repeat(1000)));
                assertEquals(
                    Errno.ENAMETOOLONG, guest.receive().getConnectResponse().getErrorCode());
            }
        }
        final String line = log.awaitOne("refused to connect to");
        assertTrue(line.contains(" '/x?ERROR ?[2Jfakedxxx") && line.endsWith("xxx...': ENAMETOOLONG"), line);
    }

    private String nothing() {
        return directory.resolve("nothing").toString();
    }

    private void expectRefusal(final String path) {
        final Path forward = directory.resolve("forward");
        try (VsockProxy guest = VsockProxy.launch(new VsockProxy.Context().role(Role.GUEST)
                .address(TestLink.in(directory)).forward(new Forward(forward.toString(), path)))) {
            guest.ready().join();
            for (int i = 0; i < 3; i++) {
                try (Endpoint application = Endpoint.connect(forward)) {
                    application.expectEnd();
                }
            }
        }
    }
}
