/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.stream;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.vsockproxy.loop.EventLoop;
import io.vsockproxy.posix.Constants;
import io.vsockproxy.posix.Descriptors;
import io.vsockproxy.posix.OwnedFd;
import io.vsockproxy.posix.PosixException;
import io.vsockproxy.posix.Syscalls;
import io.vsockproxy.testing.Await;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(value = 60, unit = TimeUnit.SECONDS)
class LateClosesTest {
    private static final long LONG_NS = TimeUnit.SECONDS.toNanos(30);
    private static final int MANY = 100;
    private static final int FEW = 20;

    private final List<Throwable> faults = new ArrayList<>();
    private int descriptorsBefore;
    private EventLoop loop;
    private LateCloses closes;

    @BeforeEach
    void open() {
        assertTrue(Constants.EFD_CLOEXEC != 0);
        descriptorsBefore = Await.stable(Descriptors::count);
        loop = new EventLoop(0, faults::add);
        closes = new LateCloses(loop);
    }

    @AfterEach
    void close() throws InterruptedException {
        closes.close();
        loop.close();
        assertEquals(List.of(), faults);
        Descriptors.assertCount(descriptorsBefore);
    }

    @Test
    void shouldKeepOneThatWasShutDownForAWholeTurn() {
        final OwnedFd descriptor = descriptor();
        closes.addShutDown(descriptor);
        closes.onReceived();
        closes.closeAbandoned();
        loop.turn(0);
        assertTrue(descriptor.isOpen());
        loop.turn(LONG_NS);
        assertFalse(descriptor.isOpen());
    }

    @Test
    void shouldKeepOneThatWasPassedForATurnThatDoesNotWait() {
        final OwnedFd descriptor = descriptor();
        closes.add(descriptor);
        loop.turn(0);
        assertTrue(descriptor.isOpen());
        loop.turn(LONG_NS);
        assertFalse(descriptor.isOpen());
    }

    @Test
    void shouldCloseAPassedDescriptorAsSoonAsTheNextHasBeenReceived() {
        final OwnedFd before = descriptor();
        closes.add(before);
        loop.turn(0);
        final OwnedFd justBefore = descriptor();
        closes.add(justBefore);
        closes.onReceived();
        assertFalse(before.isOpen());
        assertFalse(justBefore.isOpen());
        final OwnedFd rightAfter = descriptor();
        closes.add(rightAfter);
        assertFalse(rightAfter.isOpen());
        loop.turn(0);
        final OwnedFd turnAfter = descriptor();
        closes.add(turnAfter);
        assertTrue(turnAfter.isOpen());
    }

    @Test
    void shouldCloseAnAbandonedOneWhenTheNextStandInIsMade() {
        final OwnedFd descriptor = descriptor();
        closes.addAbandoned(descriptor);
        closes.onReceived();
        assertTrue(descriptor.isOpen());
        closes.closeAbandoned();
        assertFalse(descriptor.isOpen());
    }

    @Test
    void shouldCloseAnAbandonedStandInSoonEvenIfNoOtherIsMade() {
        final OwnedFd descriptor = descriptor();
        closes.addAbandoned(descriptor);
        for (int turns = 0; turns < MANY && descriptor.isOpen(); turns++) {
            loop.turn(LONG_NS);
        }
        assertFalse(descriptor.isOpen());
    }

    @Test
    void shouldKeepFewOfThoseThatAreAbandoned() {
        final List<OwnedFd> all = new ArrayList<>();
        for (int i = 0; i < MANY; i++) {
            all.add(descriptor());
            closes.addAbandoned(all.get(i));
        }
        final long open = all.stream().filter(OwnedFd::isOpen).count();
        assertTrue(open > 0 && open < FEW, all::toString);
        assertEquals(open, closes.count());
    }

    private static OwnedFd descriptor() {
        return OwnedFd.of(PosixException.check(Syscalls.eventfd(0, Constants.EFD_CLOEXEC), "eventfd"));
    }
}
