/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy;

import org.agrona.concurrent.Agent;

/**
 * The engine of an {@linkplain VsockProxy#embed embedded} proxy, for a component to turn on a thread of its own: by
 * Agrona's AgentInvoker, AgentRunner or CompositeAgent, or by calling the three methods itself, {@link #onStart} first.
 *
 * <p>All from one thread. After {@link #onClose}, or {@link VsockProxy#close}, a turn does nothing. A turn within a
 * turn, from a callback or on another thread, is an IllegalStateException, and so is a second start.
 */
public interface EngineAgent extends Agent {
    /**
     * Binds the sockets, or begins to connect.
     *
     * @throws io.vsockproxy.posix.PosixException when that cannot be (EADDRINUSE, EACCES).
     */
    @Override
    void onStart();

    /** One turn that only looks: deals with what is ready, and returns how much that was. Never blocks. */
    @Override
    int doWork();

    /**
     * One turn that waits until there is something to do.
     *
     * @param maxWaitNs how long at most, in ns; 0 only looks, negative has no limit. {@link VsockProxy#wakeUp} ends the
     *                  wait.
     * @return how much was dealt with.
     */
    int doWork(long maxWaitNs);

    /**
     * Closes every session, removes the sockets and the mount; from a callback, as soon as the turn has ended.
     * Idempotent.
     *
     * @throws IllegalStateException on another thread than the one that is turning it just now.
     */
    @Override
    void onClose();
}
