/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.stream;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import io.vsockproxy.posix.Constants;
import io.vsockproxy.posix.ControlData;
import io.vsockproxy.posix.Descriptors;
import io.vsockproxy.posix.PosixException;
import io.vsockproxy.posix.Syscalls;
import io.vsockproxy.testing.Await;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class RidingDescriptorsTest {
    private static final int[] NONE = {};

    private int descriptorsBefore;

    @BeforeEach
    void count() {
        descriptorsBefore = Await.stable(Descriptors::count);
    }

    @AfterEach
    void expectNothingLeftOpen() {
        Await.untilEqual(descriptorsBefore, Descriptors::count, "open descriptors");
    }

    @Test
    void shouldKeepTheirOrder() {
        assertArrayEquals(new int[] {3, 1, 2}, RidingDescriptors.join(new int[] {3}, new int[] {1, 2}));
        assertArrayEquals(new int[] {3}, RidingDescriptors.join(new int[] {3}, NONE));
        assertArrayEquals(new int[] {1, 2}, RidingDescriptors.join(NONE, new int[] {1, 2}));
    }

    @Test
    void shouldKeepAllThatOneMessageCarries() {
        final int[] earlier = open(ControlData.MAX_DESCRIPTORS - 1);
        final int[] later = open(1);
        final int[] all = RidingDescriptors.join(earlier, later);
        assertArrayEquals(IntStream.concat(IntStream.of(earlier), IntStream.of(later)).toArray(), all);
        assertEquals(descriptorsBefore + ControlData.MAX_DESCRIPTORS, Descriptors.count());
        Stream.closeAll(all);
    }

    @Test
    void shouldKeepTheEarlierAndCloseTheLaterOfTooMany() {
        final int[] earlier = open(2);
        assertArrayEquals(earlier, RidingDescriptors.join(earlier, open(ControlData.MAX_DESCRIPTORS - 1)));
        assertEquals(descriptorsBefore + 2, Descriptors.count());
        Stream.closeAll(earlier);
    }

    private static int[] open(final int count) {
        return IntStream.range(0, count)
            .map(i -> PosixException.check(Syscalls.eventfd(0, Constants.EFD_CLOEXEC), "eventfd"))
            .toArray();
    }
}
