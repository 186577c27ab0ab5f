/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.link;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.vsockproxy.posix.Constants;
import io.vsockproxy.posix.ControlData;
import io.vsockproxy.posix.Descriptors;
import io.vsockproxy.posix.Errno;
import io.vsockproxy.posix.Memory;
import io.vsockproxy.posix.PosixException;
import io.vsockproxy.posix.Syscalls;
import io.vsockproxy.testing.Allocations;
import io.vsockproxy.testing.Await;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class ReceivedDescriptorsTest {
    private static final int MANY = 1_000_000;
    /** A number that no descriptor has: these are only counted. */
    private static final int UNUSED = Integer.MAX_VALUE;

    private int descriptorsBefore;
    private Memory memory;
    private ControlData control;
    private ReceivedDescriptors received;

    @BeforeEach
    void open() {
        assertEquals("EAGAIN", Errno.name(Errno.EAGAIN));
        descriptorsBefore = Await.stable(Descriptors::count);
        memory = Memory.allocate(ControlData.LENGTH);
        control = new ControlData(memory, 0);
        received = new ReceivedDescriptors();
    }

    @AfterEach
    void close() throws InterruptedException {
        received.close();
        memory.close();
        Descriptors.assertCount(descriptorsBefore);
    }

    @Test
    void shouldGiveDescriptorsInTheOrderInWhichTheyCame() {
        final int[] first = arrive(3, false);
        final int[] second = arrive(2, false);
        assertEquals(5, received.size());
        for (final int[] message : new int[][] {first, second}) {
            for (final int descriptor : message) {
                assertEquals(descriptor, received.take());
                Syscalls.close(descriptor);
            }
        }
        assertEquals(ReceivedDescriptors.NONE, received.take());
        assertEquals(0, control.count());
    }

    @Test
    void shouldTakeNoMoreMemoryHoweverManyPassThroughWhileOneAlwaysWaits() {
        Allocations.assertNone(MANY, this::passThrough);
        assertEquals(2, received.size());
        received.take();
        received.take();
    }

    @Test
    void shouldMarkWhereDescriptorsWereLostAndCloseTheOthersOfThatMessage() {
        final int[] before = arrive(1, false);
        arrive(3, true);
        final int[] after = arrive(1, false);
        assertEquals(before[0], received.take());
        assertEquals(ReceivedDescriptors.LOST, received.take());
        assertEquals(after[0], received.take());
        Syscalls.close(before[0]);
        Syscalls.close(after[0]);
        assertEquals(ReceivedDescriptors.NONE, received.take());
    }

    @Test
    void shouldNotTakeMoreThanCanBeMeantForFrames() {
        int added = 0;
        boolean room = true;
        while (room && added < 10_000) {
            put(ControlData.MAX_DESCRIPTORS, false);
            room = received.add(control);
            added += ControlData.MAX_DESCRIPTORS;
        }
        assertFalse(room);
        assertTrue(received.size() <= 5 * ControlData.MAX_DESCRIPTORS, "size=" + received.size());
        assertEquals(0, control.count());
    }

    private int[] arrive(final int count, final boolean truncated) {
        final int[] descriptors = put(count, truncated);
        assertTrue(received.add(control));
        return descriptors;
    }

    /** Puts fresh descriptors where a receive would have. */
    /** Adds one more than it takes. */
    private void passThrough(final int count) {
        control.add(UNUSED);
        assertTrue(received.add(control));
        for (int i = 0; i < count; i++) {
            control.add(UNUSED);
            assertTrue(received.add(control));
            assertEquals(UNUSED, received.take());
        }
    }

    private int[] put(final int count, final boolean truncated) {
        final int[] descriptors = new int[count];
        for (int i = 0; i < count; i++) {
            descriptors[i] = PosixException.check(Syscalls.eventfd(0, Constants.EFD_CLOEXEC), "eventfd");
            memory.buffer().putInt(ControlData.DESCRIPTORS_OFFSET + i * Integer.BYTES, descriptors[i]);
        }
        memory.buffer().putInt(0, count);
        memory.buffer().putInt(Integer.BYTES, truncated ? Constants.MSG_CTRUNC : 0);
        return descriptors;
    }
}
