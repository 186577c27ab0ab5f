/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.it;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.vsockproxy.Role;
import io.vsockproxy.posix.Constants;
import io.vsockproxy.posix.SocketOptions;
import io.vsockproxy.testing.Endpoint;
import io.vsockproxy.testing.Pattern;
import io.vsockproxy.testing.RunningPair;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Packets that are longer than a socket accepts at first, behind others that a slow reader has not read.
 */
@Timeout(value = 60, unit = TimeUnit.SECONDS)
class LongPacketsTest {
    /** More than the kernel keeps for a reader (net.unix.max_dgram_qlen, SO_SNDBUF), and less than a window. */
    private static final int SHORT_PACKETS = 40;
    private static final int SHORT = 5000;
    private static final int OVERHEAD = 4096;

    @RegisterExtension
    static final RunningPair PAIR = RunningPair.inProcess();

    @ParameterizedTest
    @ValueSource(ints = {300_000, 950_000, 984_000, 1_000_000, 1_200_000, 1_900_000})
    void shouldDeliverALongPacketBehindOthersThatWait(final int length) {
        for (final int type : new int[] {Constants.SOCK_SEQPACKET, Constants.SOCK_DGRAM}) {
            final Endpoint[] ends = PAIR.connect(Role.GUEST);
            final Endpoint[] pair = PAIR.closing(Endpoint.socketPair(type));
            try (SocketOptions options = new SocketOptions()) {
                options.set(pair[0].fd(), Constants.SO_SNDBUF, length + OVERHEAD);
                assumeTrue(options.get(pair[0].fd(), Constants.SO_SNDBUF) >= length + OVERHEAD, "net.core.wmem_max");
            }
            ends[0].send("d", pair[1]);
            pair[1].close();
            final Endpoint received = PAIR.closing(ends[1].receive(1).only());
            final List<byte[]> packets = new ArrayList<>();
            for (int i = 0; i < SHORT_PACKETS; i++) {
                packets.add(Pattern.bytes(i, SHORT));
            }
            packets.add(Pattern.bytes(length, length));
            packets.forEach(packet -> pair[0].send(packet));
            pair[0].awaitTaken();
            // There may be no credit for this one until others have been read.
            packets.add(Pattern.bytes(1, SHORT));
            pair[0].send(packets.get(packets.size() - 1));
            // What was sent after them has arrived, so they have too.
            ends[0].send("!");
            assertEquals("!", ends[1].readText(1));
            for (final byte[] packet : packets) {
                final byte[] bytes = received.receive().bytes();
                assertEquals(packet.length, bytes.length);
                assertArrayEquals(packet, bytes);
            }
        }
    }
}
