/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.it;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.sun.management.ThreadMXBean;
import io.vsockproxy.Role;
import io.vsockproxy.testing.Endpoint;
import io.vsockproxy.testing.Pattern;
import io.vsockproxy.testing.RunningPair;
import java.lang.management.ManagementFactory;
import java.util.Arrays;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * What the two loops' threads allocate while messages go through them.
 */
@Timeout(value = 120, unit = TimeUnit.SECONDS)
class LoopAllocationTest {
    private static final int WARM_UP = 8_000;
    private static final int MESSAGES = 20_000;
    private static final int LENGTH = 64;
    /** Less than the smallest object, so there is none for each message. */
    private static final double ALLOWED_BYTES_PER_MESSAGE = 8;

    @RegisterExtension
    static final RunningPair PAIR = RunningPair.inProcess();

    private final ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();

    @ParameterizedTest
    @EnumSource
    void shouldNotAllocatePerMessageOfAStream(final Role from) {
        final Endpoint[] ends = PAIR.connect(from);
        exchange(ends[0], ends[1], WARM_UP);
        final long before = allocatedByLoops();
        exchange(ends[0], ends[1], MESSAGES);
        final double perMessage = (double) (allocatedByLoops() - before) / (2 * MESSAGES);
        System.out.println("allocated per 64 B message by both loops together: " + perMessage + " bytes, from " + from);
        assertTrue(perMessage < ALLOWED_BYTES_PER_MESSAGE, "bytes per message: " + perMessage);
    }

    private static void exchange(final Endpoint one, final Endpoint other, final int rounds) {
        final byte[] question = Pattern.bytes(1, LENGTH);
        final byte[] answer = Pattern.bytes(2, LENGTH);
        for (int i = 0; i < rounds; i++) {
            one.send(question);
            assertArrayEquals(question, other.readFully(LENGTH));
            other.send(answer);
            assertArrayEquals(answer, one.readFully(LENGTH));
        }
    }

    private long allocatedByLoops() {
        final long[] ids = Arrays.stream(threads.getThreadInfo(threads.getAllThreadIds()))
            .filter(thread -> thread != null && thread.getThreadName().startsWith("vsock-proxy-"))
            .mapToLong(thread -> thread.getThreadId())
            .toArray();
        assertTrue(ids.length >= 2, "loops: " + ids.length);
        return Arrays.stream(threads.getThreadAllocatedBytes(ids)).sum();
    }
}
