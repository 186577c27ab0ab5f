/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.it;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.vsockproxy.Role;
import io.vsockproxy.VsockProxy;
import io.vsockproxy.posix.Constants;
import io.vsockproxy.testing.Await;
import io.vsockproxy.testing.Endpoint;
import io.vsockproxy.testing.LogCapture;
import io.vsockproxy.testing.RunsOverVsock;
import io.vsockproxy.testing.TestLink;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * A guest whose host closes its link at once, because it does not serve that guest: the guest tries again and again
 * without filling its log.
 */
@RunsOverVsock
@Timeout(value = 60, unit = TimeUnit.SECONDS)
class TurnedAwayTest {
    private static final int TIMES = 4;

    @TempDir
    Path directory;

    @Test
    void shouldLogTheFirstSessionThatItsHostClosesAtOnceAndTheOneThatLasts() {
        try (LogCapture log = new LogCapture(); Endpoint listening = Endpoint.listen(TestLink.in(directory));
            VsockProxy guest = VsockProxy.launch(
                new VsockProxy.Context().role(Role.GUEST).address(TestLink.in(directory)))) {
            for (int i = 0; i < TIMES; i++) {
                listening.accept().close();
            }
            try (Endpoint host = listening.accept()) {
                Await.until(() -> log.linesWith("session began").size() == 2, () -> log.linesWith("").toString());
                assertTrue(guest.ready().isDone());
                host.await(Constants.EPOLLIN, "the guest's greeting");
            }
            Await.until(() -> log.linesWith("session ended").size() == 2, () -> log.linesWith("").toString());
            assertEquals(4, log.linesWith("host ").size(), () -> log.linesWith("").toString());
            assertTrue(log.linesWith("session began").get(1).startsWith("INFO host " + (TIMES + 1)));
        }
    }
}
