/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.it;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;

import io.vsockproxy.Role;
import io.vsockproxy.posix.Constants;
import io.vsockproxy.posix.Errno;
import io.vsockproxy.testing.AllocatedBytes;
import io.vsockproxy.testing.Background;
import io.vsockproxy.testing.Endpoint;
import io.vsockproxy.testing.Pattern;
import io.vsockproxy.testing.RunningPair;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * What two proxies allocate while they carry messages of each kind of stream.
 */
@Timeout(value = 120, unit = TimeUnit.SECONDS)
class LoopAllocationTest {
    private static final int ROUND_TRIPS = 5_000;
    private static final int LENGTH = 64;
    private static final int LARGE_WRITES = 1_500;
    /** So long that it is spliced on both sides. */
    private static final int LARGE = 128 << 10;
    /** More than a socket takes at once. */
    private static final int LATE_PACKETS = 800;
    private static final byte[] QUESTION = Pattern.bytes(1, LENGTH);
    private static final byte[] ANSWER = Pattern.bytes(2, LENGTH);

    @RegisterExtension
    static final RunningPair PAIR = RunningPair.processes();

    @BeforeAll
    static void letIn() {
        AllocatedBytes.letIn(PAIR.pair().hostProcess(), PAIR.pair().guestProcess());
        PAIR.countDescriptors();
    }

    @ParameterizedTest
    @EnumSource
    void shouldNotAllocatePerMessageOfAStream(final Role from) {
        final Endpoint[] ends = PAIR.connect(from);
        check("64 B round trip", from, ROUND_TRIPS, count -> exchangeBytes(ends[0], ends[1], count));
    }

    @ParameterizedTest
    @EnumSource
    void shouldNotAllocatePerLargeWrite(final Role from) {
        final Endpoint[] ends = PAIR.connect(from);
        check("128 KiB write", from, LARGE_WRITES, count -> {
            final byte[] bytes = Pattern.bytes(3, LARGE);
            final CompletableFuture<Void> writer = Background.start(() -> {
                for (int i = 0; i < count; i++) {
                    ends[0].send(bytes);
                }
                return null;
            });
            for (int i = 0; i < count; i++) {
                assertArrayEquals(bytes, ends[1].readFully(LARGE));
            }
            Background.join(writer);
        });
    }

    @ParameterizedTest
    @EnumSource
    void shouldNotAllocatePerMessageThatHasToWaitForItsReader(final Role from) {
        final Endpoint[] ends = PAIR.connect(from);
        check("64 B write to a reader that is late", from, ROUND_TRIPS, count -> {
            int sent = 0;
            int read = 0;
            while (read < count) {
                while (sent < count && ends[0].trySend(QUESTION, 0, LENGTH) != -Errno.EAGAIN) {
                    sent++;
                }
                for (; read < sent; read++) {
                    assertArrayEquals(QUESTION, ends[1].readFully(LENGTH));
                }
            }
        });
    }

    @ParameterizedTest
    @EnumSource
    void shouldNotAllocatePerPacket(final Role from) {
        final Endpoint[] ends = PAIR.connect(from);
        for (final int type : new int[] {Constants.SOCK_SEQPACKET, Constants.SOCK_DGRAM}) {
            final Endpoint[] pair = PAIR.closing(Endpoint.socketPair(type));
            final Endpoint received = pass(ends, pair[1]);
            check("round trip of packets", from, ROUND_TRIPS, count -> exchangePackets(pair[0], received, count));
        }
    }

    @ParameterizedTest
    @EnumSource
    void shouldNotAllocatePerWriteToAPipe(final Role from) {
        final Endpoint[] ends = PAIR.connect(from);
        final Endpoint[] there = PAIR.closing(Endpoint.pipe());
        final Endpoint[] back = PAIR.closing(Endpoint.pipe());
        final Endpoint reader = pass(ends, there[0]);
        final Endpoint writer = pass(ends, back[1]);
        check("round trip through two pipes", from, ROUND_TRIPS, count -> {
            for (int i = 0; i < count; i++) {
                there[1].write(QUESTION);
                assertArrayEquals(QUESTION, reader.readFully(LENGTH));
                writer.write(ANSWER);
                assertArrayEquals(ANSWER, back[0].readFully(LENGTH));
            }
        });
    }

    @ParameterizedTest
    @EnumSource
    void shouldNotAllocatePerPacketThatHasToWaitForItsReader(final Role from) {
        final Endpoint[] ends = PAIR.connect(from);
        final Endpoint[] pair = PAIR.closing(Endpoint.socketPair(Constants.SOCK_SEQPACKET));
        final Endpoint received = pass(ends, pair[1]);
        check("packet to a reader that is late", from, ROUND_TRIPS, count -> {
            int sent = 0;
            int read = 0;
            while (read < count) {
                while (sent < count && sent < read + LATE_PACKETS && pair[0].trySend(QUESTION, 0, LENGTH) > 0) {
                    sent++;
                }
                for (; read < sent; read++) {
                    assertArrayEquals(QUESTION, received.receive().bytes());
                }
            }
        });
    }

    private static void exchangeBytes(final Endpoint one, final Endpoint other, final int count) {
        for (int i = 0; i < count; i++) {
            one.send(QUESTION);
            assertArrayEquals(QUESTION, other.readFully(LENGTH));
            other.send(ANSWER);
            assertArrayEquals(ANSWER, one.readFully(LENGTH));
        }
    }

    private static void exchangePackets(final Endpoint one, final Endpoint other, final int count) {
        for (int i = 0; i < count; i++) {
            one.send(QUESTION);
            assertArrayEquals(QUESTION, other.receive().bytes());
            other.send(ANSWER);
            assertArrayEquals(ANSWER, one.receive().bytes());
        }
    }

    private static Endpoint pass(final Endpoint[] ends, final Endpoint passed) {
        ends[0].send("d", passed);
        passed.close();
        return PAIR.closing(ends[1].receive(1).only());
    }

    private static void check(
        final String what, final Role from, final int count, final AllocatedBytes.Operations operations) {
        AllocatedBytes.assertNonePerOperation(
            what + " from the " + from, count, operations, PAIR.pair().hostProcess(), PAIR.pair().guestProcess());
    }
}
