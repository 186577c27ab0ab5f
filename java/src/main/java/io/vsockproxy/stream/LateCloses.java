/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.stream;

import io.vsockproxy.loop.EndOfTurnTask;
import io.vsockproxy.loop.EventLoop;
import io.vsockproxy.posix.OwnedFd;
import java.util.ArrayList;

/**
 * Closes descriptors a turn of the loop later. A socket that has been shut down may be a stand-in of this very proxy,
 * passed back to where it came from: the stream at its other end tells shutdown from close while it is still open.
 */
final class LateCloses implements AutoCloseable {
    private final EventLoop loop;
    private ArrayList<OwnedFd> fresh = new ArrayList<>();
    private ArrayList<OwnedFd> due = new ArrayList<>();
    private final EndOfTurnTask task = new EndOfTurnTask() {
        @Override
        protected void run() {
            endTurn();
        }
    };

    LateCloses(final EventLoop loop) {
        this.loop = loop;
    }

    /** Takes ownership. */
    void add(final OwnedFd descriptor) {
        fresh.add(descriptor);
        loop.atEndOfTurn(task);
    }

    @Override
    public void close() {
        endTurn();
        endTurn();
    }

    private void endTurn() {
        due.forEach(OwnedFd::close);
        due.clear();
        final ArrayList<OwnedFd> next = fresh;
        fresh = due;
        due = next;
        if (!due.isEmpty()) {
            loop.atEndOfTurn(task);
        }
    }
}
