/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.link;

import io.vsockproxy.posix.ControlData;
import io.vsockproxy.posix.Syscalls;
import org.agrona.collections.IntArrayList;

/**
 * Descriptors that arrived on a unix-socket link and wait for the frame that lists them, in order.
 *
 * <p>The link keeps no message boundaries: frames take from the front. Where the kernel could not install all of a
 * message's descriptors (EMFILE), a mark stands in for those that are missing, so that only the frame they were meant
 * for suffers. Owns what it holds.
 */
public final class ReceivedDescriptors implements AutoCloseable {
    /** What {@link #take} answers when none has arrived. */
    public static final int NONE = -1;
    /** What {@link #take} answers, once, where descriptors were lost on their way in. */
    public static final int LOST = -2;

    /** More than this at once, and the peer sends descriptors that no frame asks for. */
    private static final int MAX_WAITING = 4 * ControlData.MAX_DESCRIPTORS;

    private final IntArrayList queue = new IntArrayList();
    private int head;

    /**
     * Takes over what a receive brought.
     *
     * @return false, with those that came now closed, when too many wait already.
     */
    public boolean add(final ControlData control) {
        if (size() >= MAX_WAITING) {
            control.closeAll();
            return false;
        }
        if (control.isTruncated()) {
            control.closeAll();
            queue.addInt(LOST);
            return true;
        }
        final int count = control.count();
        for (int i = 0; i < count; i++) {
            queue.addInt(control.descriptor(i));
        }
        control.clear();
        return true;
    }

    /** How many wait. */
    public int size() {
        return queue.size() - head;
    }

    /** The next descriptor, which the caller then owns; {@link #NONE}; or {@link #LOST}. */
    public int take() {
        if (size() == 0) {
            return NONE;
        }
        final int descriptor = queue.getInt(head++);
        if (size() == 0) {
            queue.clear();
            head = 0;
        }
        return descriptor;
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
