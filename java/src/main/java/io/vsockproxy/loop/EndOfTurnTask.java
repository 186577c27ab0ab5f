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

    /**
     * Does the work. Must not block. If it is asked for again from here, it runs in the next turn, which then does not
     * wait.
     */
    protected abstract void run();

    final boolean queue() {
        if (queued) {
            return false;
        }
        queued = true;
        return true;
    }

    final void runQueued() {
        queued = false;
        run();
    }
}
