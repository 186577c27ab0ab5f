/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.it;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import io.vsockproxy.Role;
import io.vsockproxy.posix.Constants;
import io.vsockproxy.testing.Background;
import io.vsockproxy.testing.Endpoint;
import io.vsockproxy.testing.Pattern;
import io.vsockproxy.testing.RunningPair;
import io.vsockproxy.testing.RunsOverVsock;
import io.vsockproxy.testing.Transfer;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * A pair without the extension, which uses the protocol as other implementations do.
 */
@RunsOverVsock
@Timeout(value = 120, unit = TimeUnit.SECONDS)
class WithoutExtensionsTest {
    private static final int MUCH = 16 << 20;

    @RegisterExtension
    static final RunningPair PAIR = RunningPair.processes("--extensions", "off");

    @ParameterizedTest
    @EnumSource
    void shouldCarryMuchBothWaysAtOnceOnOneStream(final Role from) {
        final Endpoint[] ends = PAIR.connect(from);
        Background.joinAll(Transfer.bothWays(ends, Pattern.bytes(1, MUCH), Pattern.bytes(2, MUCH)));
    }

    @ParameterizedTest
    @EnumSource
    void shouldDeliverAllThatIsQueuedForASlowReaderBeforeTheEnd(final Role from) {
        final Endpoint[] ends = PAIR.connect(from);
        final byte[] bytes = Pattern.bytes(3, 3 << 20);
        ends[0].send(bytes);
        ends[0].close();
        assertArrayEquals(bytes, ends[1].readToEnd());
    }

    @ParameterizedTest
    @EnumSource
    void shouldEndBothDirectionsWithOne(final Role from) {
        final Endpoint[] ends = PAIR.connect(from);
        ends[1].send("before");
        assertEquals("before", ends[0].readText(6));
        ends[0].send("last");
        ends[0].shutdownWrite();
        assertEquals("last", ends[1].readText(4));
        ends[1].expectEnd();
        ends[0].expectEnd();
    }

    @ParameterizedTest
    @EnumSource
    void shouldCarryPassedDescriptors(final Role from) {
        final Endpoint[] ends = PAIR.connect(from);
        final Endpoint[] pair = PAIR.closing(Endpoint.socketPair(Constants.SOCK_SEQPACKET));
        final Endpoint[] pipe = PAIR.closing(Endpoint.pipe());
        ends[0].pass("two", pair[1], pipe[0]);
        final List<Endpoint> received = ends[1].receive().descriptors();
        received.forEach(PAIR::closing);
        pair[0].send("");
        pair[0].send("packet");
        assertEquals("", received.get(0).receive().text());
        assertEquals("packet", received.get(0).receive().text());
        pipe[1].write("pipe");
        pipe[1].close();
        assertEquals("pipe", received.get(1).readText(4));
        received.get(1).expectEnd();
        pair[0].close();
        assertEquals("", received.get(0).receive().text());
    }
}
