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
 * Closes sockets with a small delay, for one of two reasons.
 *
 * <p>A socket that was passed to this process and has been shut down may be one of this very proxy's stand-ins, passed
 * back to where it came from. It stays open for one more turn, so that the stream at its other end can tell shutdown
 * from close.
 *
 * <p>Any other socket is cheaper to close while no unix socket is in flight as SCM_RIGHTS: otherwise the kernel starts
 * its garbage collection of unreachable sockets, on another processor, which it has to wake. When an application passes
 * socket after socket, the next one is in flight from the answer to the last one until this proxy or the other side's
 * receives it.
 */
final class LateCloses implements AutoCloseable {
    /** How long a socket whose other end is gone may wait for the next stand-in. */
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

    /** How many sockets wait to be closed. */
    int count() {
        return fresh.size() + due.size() + freshShutDown.size() + dueShutDown.size() + abandoned.size();
    }

    /** Closes a socket that has been shut down, one turn later. Takes ownership. */
    void addShutDown(final OwnedFd descriptor) {
        freshShutDown.add(descriptor);
        loop.atEndOfTurn(task);
    }

    /**
     * Closes a socket that has not been shut down, one turn later or as soon as an application has passed the next.
     * Takes ownership.
     */
    void add(final OwnedFd descriptor) {
        if (receivedNs == loop.nowNs()) {
            descriptor.close();
        } else {
            fresh.add(descriptor);
            loop.atEndOfTurn(task);
        }
    }

    /**
     * Closes a socket whose other end has been closed, so that nobody waits for it, when the next stand-in is made, or
     * after 10 ms. One turn might be too early: the application may have passed the next socket before the other side's
     * proxy runs. Takes ownership.
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

    /** Descriptors that an application passed have been received: most likely none is in flight now. */
    void onReceived() {
        receivedNs = loop.nowNs();
        closeAll(fresh);
        closeAll(due);
    }

    /**
     * Closes the abandoned sockets. To be called when a stand-in is made: then the other side's proxy has received the
     * original.
     */
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
