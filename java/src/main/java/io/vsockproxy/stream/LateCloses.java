/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.stream;

import io.vsockproxy.loop.EndOfTurnTask;
import io.vsockproxy.loop.EventLoop;
import io.vsockproxy.loop.Timer;
import io.vsockproxy.posix.OwnedFd;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/**
 * Closes sockets a little later than at once, for one of two reasons.
 *
 * <p>One that was passed to this process and has been shut down may be a stand-in of this very proxy, passed back to
 * where it came from: the stream at its other end tells shutdown from close while it is still open, for a turn.
 *
 * <p>Any other is cheaper to close when no unix socket is in flight, as SCM_RIGHTS: else the kernel looks for sockets
 * that nobody can receive any more, on another processor, which it has to wake. When an application passes socket after
 * socket, the next is in flight once the last was answered, until this proxy or that of the other side receives it.
 */
final class LateCloses implements AutoCloseable {
    /** How long one whose other end is gone may wait for the next stand-in. */
    private static final long ABANDONED_NS = TimeUnit.MILLISECONDS.toNanos(10);
    private static final int MAX_ABANDONED = 16;

    private final EventLoop loop;
    private ArrayList<OwnedFd> fresh = new ArrayList<>();
    private ArrayList<OwnedFd> due = new ArrayList<>();
    private ArrayList<OwnedFd> freshShutDown = new ArrayList<>();
    private ArrayList<OwnedFd> dueShutDown = new ArrayList<>();
    private final ArrayList<OwnedFd> abandoned = new ArrayList<>();
    private final Timer timer = new Timer(this::closeAbandoned);
    private long receivedNs;
    private final EndOfTurnTask task = new EndOfTurnTask() {
        @Override
        protected void run() {
            endTurn();
        }
    };

    LateCloses(final EventLoop loop) {
        this.loop = loop;
        receivedNs = loop.nowNs() - 1;
    }

    /** How many wait to be closed. */
    int count() {
        return fresh.size() + due.size() + freshShutDown.size() + dueShutDown.size() + abandoned.size();
    }

    /** Closes a socket that has been shut down a turn later. Takes ownership. */
    void addShutDown(final OwnedFd descriptor) {
        freshShutDown.add(descriptor);
        loop.atEndOfTurn(task);
    }

    /** Closes one that has not a turn later, or when an application has passed the next. Takes ownership. */
    void add(final OwnedFd descriptor) {
        if (receivedNs == loop.nowNs()) {
            descriptor.close();
        } else {
            fresh.add(descriptor);
            loop.atEndOfTurn(task);
        }
    }

    /**
     * Closes one whose other end has been closed, so that nobody waits for it, when the next stand-in is made, or soon.
     * A turn might be too early: who passed the last one may have passed the next before the other side's proxy runs.
     * Takes ownership.
     */
    void addAbandoned(final OwnedFd descriptor) {
        if (abandoned.size() == MAX_ABANDONED) {
            closeAbandoned();
        }
        abandoned.add(descriptor);
        if (!timer.isScheduled()) {
            loop.schedule(timer, ABANDONED_NS);
        }
    }

    /** An application has passed descriptors, which have been received: none is in flight, most likely. */
    void onReceived() {
        receivedNs = loop.nowNs();
        closeAll(fresh);
        closeAll(due);
    }

    /** A stand-in is about to be made: what it stands for has been received by the other side's proxy. */
    void closeAbandoned() {
        closeAll(abandoned);
    }

    @Override
    public void close() {
        loop.cancel(timer);
        closeAbandoned();
        endTurn();
        endTurn();
    }

    private void endTurn() {
        closeAll(due);
        closeAll(dueShutDown);
        final ArrayList<OwnedFd> next = fresh;
        fresh = due;
        due = next;
        final ArrayList<OwnedFd> nextShutDown = freshShutDown;
        freshShutDown = dueShutDown;
        dueShutDown = nextShutDown;
        if (!due.isEmpty() || !dueShutDown.isEmpty()) {
            loop.atEndOfTurn(task);
        }
    }

    private static void closeAll(final List<OwnedFd> descriptors) {
        for (int i = 0; i < descriptors.size(); i++) {
            descriptors.get(i).close();
        }
        descriptors.clear();
    }
}
