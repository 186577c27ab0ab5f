/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.posix;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.vsockproxy.testing.Endpoint;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(value = 20, unit = TimeUnit.SECONDS)
class ReceiveQueuesTest {
    private static final int MANY = 100;
    private static final int AT_ONCE = 64;

    private Endpoint[] pair;
    private ReceiveQueues queues;
    private int descriptorsBefore;

    @BeforeEach
    void open() {
        Endpoint.eventfd(0).close();
        descriptorsBefore = Descriptors.count();
        pair = Endpoint.socketPair(Constants.SOCK_STREAM);
        queues = new ReceiveQueues(new DescriptorReserve(1 << 20));
    }

    @AfterEach
    void close() {
        queues.close();
        Endpoint.closeAll(pair);
        assertEquals(descriptorsBefore, Descriptors.count());
    }

    @Test
    void shouldTellWhetherDescriptorsWait() {
        assertTrue(none());
        pair[0].send("bytes");
        assertTrue(none());
        try (Endpoint event = Endpoint.eventfd(0)) {
            pair[0].send("with one", event);
            assertFalse(none());
            pair[0].send("and without");
            assertFalse(none());
            assertEquals("bytes", pair[1].readText(5));
            assertFalse(none());
        }
        pair[1].receive().descriptors().forEach(Endpoint::close);
        assertTrue(none());
    }

    @Test
    void shouldCountDescriptorsOfMoreThanOneDigit() {
        try (Endpoint event = Endpoint.eventfd(0)) {
            for (int i = 0; i < 12; i++) {
                pair[0].send("x", event);
                assertFalse(none());
            }
        }
        for (int i = 0; i < 12; i++) {
            assertFalse(none());
            pair[1].receive().descriptors().forEach(Endpoint::close);
        }
        assertTrue(none());
    }

    @Test
    void shouldTellManySocketsApartAndKeepOpenAFew() {
        final List<Endpoint[]> pairs = new ArrayList<>();
        try (Endpoint event = Endpoint.eventfd(0)) {
            for (int i = 0; i < MANY; i++) {
                pairs.add(Endpoint.socketPair(Constants.SOCK_STREAM));
                if (i % 3 == 0) {
                    pairs.get(i)[0].send("x", event);
                }
            }
        }
        for (int i = 0; i < MANY; i++) {
            final int fd = pairs.get(i)[1].fd();
            // The first question about a socket whose place another one has is not answered.
            final boolean once = queues.hasNoDescriptors(fd);
            final boolean again = queues.hasNoDescriptors(fd);
            assertEquals(i % 3 != 0, once || again, "socket " + i);
            assertTrue(queues.descriptorCount() <= AT_ONCE);
        }
        for (final Endpoint[] each : pairs) {
            queues.forget(each[1].fd());
            Endpoint.closeAll(each);
        }
        assertEquals(0, queues.descriptorCount());
    }

    @Test
    void shouldLeaveAPlaceToItsSocketWhileThatIsBusy() {
        final int fd = pair[1].fd();
        final int rival = fd + AT_ONCE;
        PosixException.check(Syscalls.dup3(fd, rival, Constants.O_CLOEXEC), "dup3");
        for (int i = 0; i < 10; i++) {
            assertTrue(queues.hasNoDescriptors(fd));
            assertFalse(queues.hasNoDescriptors(rival));
        }
        assertTrue(queues.hasNoDescriptors(rival), "the other one was idle");
        assertFalse(queues.hasNoDescriptors(fd));
        queues.forget(rival);
        assertTrue(queues.hasNoDescriptors(fd), "the place is free");
        Syscalls.close(rival);
    }

    @Test
    void shouldSeeTheSocketThatHasTheNumberNow() {
        assertTrue(none());
        final Endpoint[] other = Endpoint.socketPair(Constants.SOCK_STREAM);
        try (Endpoint event = Endpoint.eventfd(0)) {
            other[0].send("x", event);
            assertTrue(none());
            PosixException.check(Syscalls.dup3(other[1].fd(), pair[1].fd(), Constants.O_CLOEXEC), "dup3");
            assertFalse(none());
        }
        Endpoint.closeAll(other);
    }

    @Test
    void shouldBeCertainOfNothingButUnixSockets() {
        final Endpoint[] pipe = Endpoint.pipe();
        assertFalse(queues.hasNoDescriptors(pipe[0].fd()));
        final int closed = pipe[0].fd();
        Endpoint.closeAll(pipe);
        assertFalse(queues.hasNoDescriptors(closed));
        queues.forget(closed);
        assertEquals(0, queues.descriptorCount());
    }

    @Test
    void shouldNotTakeSpareDescriptors() {
        try (ReceiveQueues poor = new ReceiveQueues(new DescriptorReserve(8))) {
            assertFalse(poor.hasNoDescriptors(pair[1].fd()));
            assertEquals(0, poor.descriptorCount());
        }
    }

    private boolean none() {
        return queues.hasNoDescriptors(pair[1].fd());
    }
}
