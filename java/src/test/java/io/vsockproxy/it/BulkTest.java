/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.it;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import io.vsockproxy.Role;
import io.vsockproxy.testing.Background;
import io.vsockproxy.testing.Endpoint;
import io.vsockproxy.testing.Pattern;
import io.vsockproxy.testing.RunningPair;
import io.vsockproxy.testing.RunsOverVsock;
import io.vsockproxy.testing.Transfer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Much data and many connections at once, through two processes.
 */
@RunsOverVsock
@Timeout(value = 120, unit = TimeUnit.SECONDS)
class BulkTest {
    private static final int CONNECTIONS = 500;
    private static final int SHORT_CONNECTIONS = 2000;
    private static final int MUCH = 16 << 20;
    private static final int QUEUED = 3 << 20;

    @RegisterExtension
    static final RunningPair PAIR = RunningPair.processes();

    @ParameterizedTest
    @EnumSource
    void shouldCarryMuchBothWaysAtOnceOnOneStream(final Role from) {
        final Endpoint[] ends = PAIR.connect(from);
        Background.joinAll(Transfer.bothWays(ends, Pattern.bytes(1, MUCH), Pattern.bytes(2, MUCH)));
    }

    @Test
    void shouldCarryMuchBothWaysOnSeveralStreamsAtOnce() {
        final int streams = 6;
        final int length = 4 << 20;
        final List<CompletableFuture<?>> work = new ArrayList<>();
        for (int i = 0; i < streams; i++) {
            final Endpoint[] ends = PAIR.connect(role(i));
            work.addAll(Transfer.bothWays(ends, Pattern.bytes(i, length), Pattern.bytes(100L + i, length)));
        }
        Background.joinAll(work);
    }

    @ParameterizedTest
    @EnumSource
    void shouldDeliverWhatIsQueuedForASlowReaderBeforeTheEnd(final Role from) {
        final Endpoint[] ends = PAIR.connect(from);
        final byte[] bytes = Pattern.bytes(3, QUEUED);
        // The reader begins when the writer can write no more without it.
        final long total = ends[0].sendUntilStalled(bytes, bytes.length);
        final CompletableFuture<Void> rest = Background.start(() -> {
            ends[0].send(Arrays.copyOfRange(bytes, (int) total, bytes.length));
            ends[0].close();
            return null;
        });
        assertArrayEquals(bytes, ends[1].readToEnd());
        Background.join(rest);
    }

    @Test
    void shouldHoldManyConnectionsOpenAtOnce() {
        final List<Endpoint[]> connections = new ArrayList<>();
        for (int i = 0; i < CONNECTIONS; i++) {
            // One at a time: the backlog keeps their order, so that each finds its other end.
            connections.add(PAIR.connect(role(i)));
        }
        for (int i = 0; i < CONNECTIONS; i++) {
            connections.get(i)[0].send("from " + i);
            connections.get(i)[1].send("to " + i);
        }
        for (int i = CONNECTIONS - 1; i >= 0; i--) {
            final String there = "from " + i;
            final String back = "to " + i;
            assertEquals(there, connections.get(i)[1].readText(there.length()));
            assertEquals(back, connections.get(i)[0].readText(back.length()));
        }
        connections.forEach(Endpoint::closeAll);
    }

    @Test
    void shouldCarryManyShortConnections() {
        for (int i = 0; i < SHORT_CONNECTIONS; i++) {
            final Endpoint[] ends = PAIR.pair().connect(role(i));
            final String question = "question " + i;
            ends[0].send(question);
            assertEquals(question, ends[1].readText(question.length()));
            ends[1].send("answer");
            assertEquals("answer", ends[0].readText(6));
            ends[i % 3 == 0 ? 0 : 1].close();
            ends[i % 3 == 0 ? 1 : 0].expectEnd();
            Endpoint.closeAll(ends);
        }
    }

    private static Role role(final int index) {
        return index % 2 == 0 ? Role.GUEST : Role.HOST;
    }
}
