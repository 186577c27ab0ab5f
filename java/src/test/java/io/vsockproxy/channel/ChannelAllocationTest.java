/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.channel;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.sun.management.ThreadMXBean;
import io.vsockproxy.LinkAddress;
import io.vsockproxy.Role;
import io.vsockproxy.VsockProxy;
import io.vsockproxy.testing.Await;
import io.vsockproxy.testing.MountedPair;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import org.agrona.DirectBuffer;
import org.agrona.concurrent.UnsafeBuffer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * What two engines and their components, all turned by this thread, allocate for each round trip.
 */
@Timeout(value = 120, unit = TimeUnit.SECONDS)
class ChannelAllocationTest {
    private static final int WARM_UP = 8_000;
    private static final int ROUNDS = 20_000;
    private static final int LENGTH = 64;
    private static final int MAX_TURNS = 20_000_000;
    /** Less than the smallest object, so there is none for each round trip. */
    private static final double ALLOWED_BYTES_PER_ROUND = 8;

    private final ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    private final UnsafeBuffer message = new UnsafeBuffer(new byte[LENGTH]);
    private final ChannelClaim claim = new ChannelClaim();

    @Test
    void shouldNotAllocatePerMessage() throws IOException {
        final Path directory = Files.createTempDirectory("vp");
        final LinkAddress address = LinkAddress.unix(directory.resolve("link").toString());
        final Counter answering = new Counter(true);
        final Counter asking = new Counter(false);
        try (
            VsockProxy host = VsockProxy.embed(new VsockProxy.Context()
                .role(Role.HOST).address(address).accept("echo", (peer, name) -> answering));
            VsockProxy guest = VsockProxy.embed(new VsockProxy.Context().role(Role.GUEST).address(address))) {
            host.agent().onStart();
            guest.agent().onStart();
            Await.until(() -> turn(host, guest) >= 0 && guest.ready().isDone(), () -> "a session");
            guest.connect("echo", asking);
            Await.until(() -> turn(host, guest) >= 0 && asking.channel != null, () -> "a channel");
            exchange(host, guest, asking, WARM_UP);
            final long before = threads.getCurrentThreadAllocatedBytes();
            exchange(host, guest, asking, ROUNDS);
            final double perRound = (double) (threads.getCurrentThreadAllocatedBytes() - before) / ROUNDS;
            assertTrue(perRound < ALLOWED_BYTES_PER_ROUND, "bytes per round trip: " + perRound);
        }
        MountedPair.delete(directory);
    }

    private static int turn(final VsockProxy host, final VsockProxy guest) {
        return host.agent().doWork() + guest.agent().doWork();
    }

    private void exchange(final VsockProxy host, final VsockProxy guest, final Counter asking, final int rounds) {
        for (int i = 0; i < rounds; i++) {
            final long expected = asking.received + LENGTH;
            if (i % 2 == 0) {
                assertEquals(LENGTH, asking.channel.offer(message, 0, LENGTH));
            } else {
                assertEquals(LENGTH, asking.channel.tryClaim(LENGTH, claim));
                claim.buffer().setMemory(0, LENGTH, (byte) 1);
                claim.commit();
            }
            for (int turns = 0; asking.received < expected; turns++) {
                assertTrue(turns < MAX_TURNS, "nothing comes any more");
                turn(host, guest);
            }
        }
    }

    /** Counts, and gives everything back if it is to. */
    private static final class Counter implements ChannelHandler {
        private final boolean answers;
        private Channel channel;
        private long received;

        Counter(final boolean answers) {
            this.answers = answers;
        }

        @Override
        public void onConnected(final Channel newChannel) {
            channel = newChannel;
        }

        @Override
        public int onData(
            final Channel from,
            final DirectBuffer buffer,
            final int offset,
            final int length,
            final PassedDescriptors descriptors) {
            received += length;
            return answers ? Math.max(0, from.offer(buffer, offset, length)) : length;
        }
    }
}
