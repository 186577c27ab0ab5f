/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.stream;

import io.vsockproxy.posix.OwnedFd;
import io.vsockproxy.posix.Syscalls;

/**
 * Descriptors on their way to an application, some of which are still being opened. The bytes they are attached to, and
 * everything after those, wait in the stream's queue until all descriptors are there.
 *
 * <p>Owns the descriptors until the stream takes all of them over.
 */
public class Delivery {
    /** Takes the place of a descriptor that is not there yet. */
    public static final int MISSING = -1;

    private final int[] descriptors;
    private int missing;
    private Stream stream;
    private boolean abandoned;

    /**
     * @param descriptors in order, with {@link #MISSING} for those still to be supplied. Takes ownership.
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

    /** Whether nobody will ever take the descriptors. */
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

    /** Closes the descriptors that are there, and from now on each one that is supplied. */
    final void abandon() {
        abandoned = true;
        closeThere();
    }

    /** Stores one that was supplied. Takes ownership. */
    void put(final int index, final OwnedFd descriptor) {
        descriptors[index] = descriptor.release();
    }

    /** Closes those that are there and have not been taken. */
    void closeThere() {
        for (final int descriptor : descriptors) {
            if (descriptor != MISSING) {
                Syscalls.close(descriptor);
            }
        }
    }
}
