/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.stream;

import io.vsockproxy.posix.OwnedFd;
import io.vsockproxy.posix.Syscalls;

/**
 * Descriptors on their way to an application, some of which are still being opened. The bytes that they go with, and
 * everything after those, wait in the stream's queue until the last one is there.
 *
 * <p>Owns the descriptors until the stream has taken all of them over.
 */
public class Delivery {
    /** Stands for a descriptor that is not there yet. */
    public static final int MISSING = -1;

    private final int[] descriptors;
    private int missing;
    private Stream stream;
    private boolean abandoned;

    /**
     * @param descriptors in order, {@link #MISSING} where one is still to be supplied. Takes ownership.
     */
    public Delivery(final int[] descriptors) {
        this.descriptors = descriptors;
        for (final int descriptor : descriptors) {
            if (descriptor == MISSING) {
                missing++;
            }
        }
    }

    /** Adds the descriptor at {@code index}. Takes ownership. */
    public void supply(final int index, final OwnedFd descriptor) {
        if (abandoned) {
            descriptor.close();
            return;
        }
        put(index, descriptor);
        missing--;
        if (missing == 0 && stream != null) {
            stream.onDeliverable();
        }
    }

    /** Whether nobody will take the descriptors any more. */
    public boolean isAbandoned() {
        return abandoned;
    }

    final boolean isComplete() {
        return missing == 0;
    }

    int[] descriptors() {
        return descriptors;
    }

    void queuedBy(final Stream newStream) {
        stream = newStream;
    }

    /** The stream has closed: closes those that are there, and those that come later as they come. */
    final void abandon() {
        abandoned = true;
        closeThere();
    }

    /** Keeps one that was supplied. Takes ownership. */
    void put(final int index, final OwnedFd descriptor) {
        descriptors[index] = descriptor.release();
    }

    /** Closes those that are there and were not taken over. */
    void closeThere() {
        for (final int descriptor : descriptors) {
            if (descriptor != MISSING) {
                Syscalls.close(descriptor);
            }
        }
    }
}
