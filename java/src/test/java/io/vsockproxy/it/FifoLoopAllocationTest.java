/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.it;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.vsockproxy.Role;
import io.vsockproxy.posix.Constants;
import io.vsockproxy.testing.AllocatedBytes;
import io.vsockproxy.testing.Endpoint;
import io.vsockproxy.testing.FileCalls;
import io.vsockproxy.testing.MountedPair;
import java.io.IOException;
import java.util.concurrent.TimeUnit;
import java.util.function.IntConsumer;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * What two proxies allocate while an application uses a FIFO that is open for reading and writing, and that the other
 * side has passed over a link that carries no descriptors.
 */
@Timeout(value = 120, unit = TimeUnit.SECONDS)
class FifoLoopAllocationTest {
    private static final int CALLS = 4_000;
    private static final int LENGTH = 64;
    private static final byte[] BYTES = new byte[LENGTH];

    @RegisterExtension
    static final MountedPair PROXIES = MountedPair.withoutDescriptors();

    @BeforeAll
    static void letIn() {
        AllocatedBytes.letIn(PROXIES.proxy(Role.HOST), PROXIES.proxy(Role.GUEST));
        PROXIES.countDescriptors();
    }

    @ParameterizedTest
    @EnumSource
    void shouldNotAllocatePerCallOnAFifo(final Role owner) throws IOException, InterruptedException {
        final Endpoint fifo = PROXIES.fifo();
        final Endpoint standIn = PROXIES.pass(owner, fifo);
        final byte[] received = new byte[LENGTH];
        check("read", owner, i -> {
            fifo.write(BYTES);
            assertEquals(LENGTH, FileCalls.read(standIn, FileCalls.CURRENT_POSITION, received));
        });
        check("write", owner, i -> {
            assertEquals(LENGTH, FileCalls.write(standIn, FileCalls.CURRENT_POSITION, BYTES));
            assertEquals(LENGTH, FileCalls.read(fifo, FileCalls.CURRENT_POSITION, received));
        });
        check("poll", owner, i -> assertEquals(Constants.EPOLLOUT, standIn.poll(Constants.EPOLLOUT, 0)));
        check("poll that waits, and read", owner, i -> {
            // The FIFO is empty: the kernel polls once and waits to be notified, and polls again after that.
            assertEquals(0, standIn.poll(Constants.EPOLLIN, 0));
            fifo.write(BYTES);
            standIn.await(Constants.EPOLLIN, "what was written to show");
            assertEquals(LENGTH, FileCalls.read(standIn, FileCalls.CURRENT_POSITION, received));
        });
    }

    private static void check(final String what, final Role owner, final IntConsumer call) {
        AllocatedBytes.assertNonePerCall(
            what + " of the " + owner, CALLS, call, PROXIES.proxy(Role.HOST), PROXIES.proxy(Role.GUEST));
    }
}
