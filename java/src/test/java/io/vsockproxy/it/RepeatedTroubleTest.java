/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.it;

import static io.vsockproxy.testing.Messages.descriptor;
import static io.vsockproxy.proto.FileDescriptor.Type.TRANSPORTABLE;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.vsockproxy.testing.Messages;
import io.vsockproxy.testing.RawPeer;
import io.vsockproxy.testing.RunningHost;
import io.vsockproxy.testing.RunningHost.Connection;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;

/**
 * Errors that a guest can cause again and again do not fill the host's log. Each test has a host of its own, with a log
 * of its own.
 */
@Timeout(value = 60, unit = TimeUnit.SECONDS)
class RepeatedTroubleTest {
    private static final int COUNT = 300;

    @RegisterExtension
    static final RunningHost HOST = new RunningHost();

    @Test
    void shouldLogOnlySomeOfManyStreamsThatAGuestSpoils() {
        final RawPeer guest = HOST.guest();
        for (int i = 0; i < COUNT; i++) {
            final Connection connection = HOST.connect(guest);
            guest.send(Messages.data(connection.handle(), "x", descriptor(TRANSPORTABLE, 0)));
            assertEquals(connection.handle(), guest.receive().getClose().getHandle());
            connection.application().expectEnd();
        }
        final int lines = HOST.log().linesWith("(TRANSPORTABLE)").size();
        assertTrue(lines > 0 && lines < COUNT, "lines in the log: " + lines);
    }
}
