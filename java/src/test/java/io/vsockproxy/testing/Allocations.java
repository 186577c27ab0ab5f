/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.testing;

import static org.junit.jupiter.api.Assertions.assertTrue;

import com.sun.management.ThreadMXBean;
import java.lang.management.ManagementFactory;
import java.util.function.IntConsumer;

/** What the current thread allocates on the heap. */
public final class Allocations {
    private Allocations() {
    }

    /**
     * Fails if {@code repeated}, which does something as often as it is told, allocates a byte or more each time. The
     * first time, which may load classes, does not count.
     */
    public static void assertNone(final int times, final IntConsumer repeated) {
        final ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        repeated.accept(1);
        final long before = threads.getCurrentThreadAllocatedBytes();
        repeated.accept(times);
        final long allocated = threads.getCurrentThreadAllocatedBytes() - before;
        // The measurement itself allocates a little.
        assertTrue(allocated < times, () -> "allocated bytes: " + allocated + " in " + times + " times");
    }
}
