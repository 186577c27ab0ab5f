/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy;

import org.agrona.concurrent.Agent;

/**
 * The engine of an {@linkplain VsockProxy#embed embedded} proxy, which a component runs on a thread of its own: with
 * Agrona's AgentInvoker, AgentRunner or CompositeAgent, or by calling the methods itself, {@link #onStart} first.
 *
 * <p>All methods are called on one thread. After {@link #onClose}, or {@link VsockProxy#close}, a turn does nothing. A
 * turn within a turn, whether from a callback or on another thread, throws IllegalStateException, and so does a second
 * start.
 */
public interface EngineAgent extends Agent {
    /**
     * Starts the proxy: a host binds its sockets, a guest begins to connect.
     *
     * @throws io.vsockproxy.posix.PosixException when a socket cannot be bound (EADDRINUSE, EACCES).
     */
    @Override
    void onStart();

    /**
     * One turn that never blocks: deals with whatever is ready, and returns how many events, commands, timers and tasks
     * for the end of a turn that was.
     */
    @Override
    int doWork();

    /**
     * One turn that waits until there is something to do, and deals with it.
     *
     * @param maxWaitNs the longest wait, in ns; 0 does not wait, a negative one has no limit. {@link VsockProxy#wakeUp}
     *                  ends the wait.
     * @return how many events, commands, timers and tasks for the end of a turn were dealt with.
     */
    int doWork(long maxWaitNs);

    /**
     * Closes every session and removes the sockets and the mount. Called from a callback, it takes effect when the turn
     * has ended. Idempotent.
     *
     * @throws IllegalStateException when another thread is in the middle of a turn.
     */
    @Override
    void onClose();
}
