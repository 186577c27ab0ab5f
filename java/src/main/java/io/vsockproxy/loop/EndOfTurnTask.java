/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.loop;

/**
 * Work that is put off to the end of a turn of the loop, once however often it was asked for: the one gathered write.
 */
public abstract class EndOfTurnTask {
    private boolean queued;

    /** Does the work. Must not block. Asked for again from here, it runs in the next turn, which then does not wait. */
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
