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
 * Closes sockets that were passed to this process a turn of the loop later. One that has been shut down may be a
 * stand-in of this very proxy, passed back to where it came from: the stream at its other end tells shutdown from close
 * while it is still open.
 *
 * <p>And it is cheaper: a unix socket that is closed while another one is on its way, as SCM_RIGHTS, has the kernel
 * look for sockets that are only in flight, on another processor, which has to be woken for it. When one application
 * passes socket after socket, the next is on its way once the last was answered; a turn later it has been received.
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
        for (int i = 0; i < due.size(); i++) {
            due.get(i).close();
        }
        due.clear();
        final ArrayList<OwnedFd> next = fresh;
        fresh = due;
        due = next;
        if (!due.isEmpty()) {
            loop.atEndOfTurn(task);
        }
    }
}
