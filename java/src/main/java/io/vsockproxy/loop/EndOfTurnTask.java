/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.loop;

/**
 * Work that is postponed to the end of a turn of the loop, and done once however often it was asked for: above all the
 * one write that sends everything gathered in the turn.
 */
public abstract class EndOfTurnTask {
    private boolean queued;
    /** The task queued after this one; null for the last. */
    private EndOfTurnTask next;

    /**
     * Does the work. Must not block. If it is asked for again from here, it runs in the next turn, which then does not
     * wait.
     */
    protected abstract void run();

    final boolean isQueued() {
        return queued;
    }

    /** Queues it behind {@code previous}, or first when that is null. */
    final void queueAfter(final EndOfTurnTask previous) {
        queued = true;
        if (previous != null) {
            previous.next = this;
        }
    }

    /** Takes it out of the queue, of which it is the first. Returns the one after it, or null. */
    final EndOfTurnTask dequeue() {
        final EndOfTurnTask second = next;
        next = null;
        queued = false;
        return second;
    }
}
