/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.stream;

import io.vsockproxy.posix.ControlData;
import io.vsockproxy.posix.Syscalls;
import java.util.Arrays;

/**
 * Bytes in an {@link OutputQueue} that must not be joined with their neighbours, and the descriptors that go with the
 * first of them. Used again and again: {@link ChunkPool} has those that are in no queue.
 */
final class Run {
    static final int[] NO_DESCRIPTORS = {};

    int length;
    /** Descriptors that wait, those among them that are still to be supplied. */
    int descriptorCount;
    int[] descriptors = NO_DESCRIPTORS;
    /** Descriptors not all of which are there yet; null otherwise. */
    Delivery delivery;
    /** The one behind it, in the queue or in the pool. */
    Run next;

    /** Has descriptors that came with no byte of their own ride on this run's first, in front of its own. */
    void ride(final int[] earlier) {
        if (delivery != null || earlier.length + descriptors.length > ControlData.MAX_DESCRIPTORS) {
            closeAll(earlier);
        } else {
            descriptorCount += earlier.length;
            final int[] all = Arrays.copyOf(earlier, earlier.length + descriptors.length);
            System.arraycopy(descriptors, 0, all, earlier.length, descriptors.length);
            descriptors = all;
        }
    }

    /** Whether its descriptors are all there. */
    boolean hasAllDescriptors() {
        if (delivery != null && delivery.isComplete()) {
            descriptors = delivery.descriptors();
            delivery = null;
        }
        return delivery == null;
    }

    /** Drops its descriptors, which have been sent or never will be. */
    void closeDescriptors() {
        closeAll(descriptors);
        descriptors = NO_DESCRIPTORS;
        descriptorCount = 0;
    }

    private static void closeAll(final int[] descriptors) {
        for (final int descriptor : descriptors) {
            Syscalls.close(descriptor);
        }
    }
}
