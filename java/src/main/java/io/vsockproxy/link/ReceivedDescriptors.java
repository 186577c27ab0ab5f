/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.link;

import io.vsockproxy.posix.ControlData;
import io.vsockproxy.posix.Syscalls;
import org.agrona.collections.IntArrayQueue;

/**
 * Descriptors that have arrived on a unix-socket link and wait, in order, for the frames that list them.
 *
 * <p>The link keeps no message boundaries, so frames simply take from the front. When the kernel could not install all
 * of a message's descriptors (EMFILE), a mark takes the place of the message's descriptors, so that only the frame they
 * were meant for suffers. Owns the descriptors it holds.
 */
public final class ReceivedDescriptors implements AutoCloseable {
    /** The result of {@link #take} when none is waiting. */
    public static final int NONE = -1;
    /** The result of {@link #take}, once, in place of descriptors that were lost while being received. */
    public static final int LOST = -2;

    /** If more than this are waiting, the peer is sending descriptors that no frame lists. */
    private static final int MAX_WAITING = 4 * ControlData.MAX_DESCRIPTORS;

    private final IntArrayQueue queue = new IntArrayQueue(NONE);

    /**
     * Takes ownership of the descriptors of one receive.
     *
     * @return false when too many are waiting already; the new ones are then closed.
     */
    public boolean add(final ControlData control) {
        if (size() >= MAX_WAITING) {
            control.closeAll();
            return false;
        }
        if (control.isTruncated()) {
            control.closeAll();
            queue.offerInt(LOST);
            return true;
        }
        final int count = control.count();
        for (int i = 0; i < count; i++) {
            queue.offerInt(control.descriptor(i));
        }
        control.clear();
        return true;
    }

    /** How many are waiting. */
    public int size() {
        return queue.size();
    }

    /** The next descriptor, which the caller then owns; or {@link #NONE}, or {@link #LOST}. */
    public int take() {
        return queue.pollInt();
    }

    @Override
    public void close() {
        for (int descriptor = take(); descriptor != NONE; descriptor = take()) {
            if (descriptor >= 0) {
                Syscalls.close(descriptor);
            }
        }
    }
}
