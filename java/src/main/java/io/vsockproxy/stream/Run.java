/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.stream;

/**
 * Bytes or packets in an {@link OutputQueue}, and the descriptors attached to the first of them. Reused: {@link
 * ChunkPool} keeps those that are in no queue.
 */
final class Run {
    static final int[] NO_DESCRIPTORS = {};

    /** Bytes of the stream; or of the first packet, once that is the first in its queue. */
    int length;
    /** How many packets there are; 0 in a byte stream. */
    int packetCount;
    /** How many descriptors wait, including those still to be supplied. */
    int descriptorCount;
    int[] descriptors = NO_DESCRIPTORS;
    /** Its descriptors while they are not all there, or when they are for a channel; null otherwise. */
    Delivery delivery;
    /** The next one in the queue or in the pool. */
    Run next;

    /**
     * Attaches descriptors that came without a byte to this run's first byte, in front of its own. If that would be
     * more than one byte can carry, its own are closed. Takes ownership.
     */
    void ride(final int[] earlier) {
        descriptors = RidingDescriptors.join(earlier, descriptors);
        descriptorCount = descriptors.length;
    }

    /** Whether its descriptors are all there. */
    boolean hasAllDescriptors() {
        if (delivery != null && delivery.isComplete()) {
            descriptors = delivery.descriptors();
            delivery = null;
        }
        return delivery == null;
    }

    /** Closes its descriptors, which have been sent or never will be. */
    void closeDescriptors() {
        Stream.closeAll(descriptors);
        descriptors = NO_DESCRIPTORS;
        descriptorCount = 0;
    }
}
