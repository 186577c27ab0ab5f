/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy;

import io.vsockproxy.posix.PosixException;
import io.vsockproxy.posix.Syscalls;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;

/**
 * The thread of a launched proxy: runs its agent until it is told to stop, then drains and closes it. Its methods may
 * be called from any thread.
 */
final class ProxyThread implements AutoCloseable {
    private static final Logger LOGGER = System.getLogger(ProxyThread.class.getName());

    private final ProxyAgent agent;
    private final int cpu;
    private final CompletableFuture<String> ready;
    private final CountDownLatch ended = new CountDownLatch(1);
    private final Thread thread;
    private volatile boolean stopping;
    /** A RuntimeException or an Error. */
    private volatile Throwable failure;

    /**
     * @param cpu   the processor that the thread stays on, or {@link VsockProxy#ANY_CPU}.
     * @param ready completed exceptionally when the agent cannot start.
     */
    ProxyThread(final ProxyAgent agent, final int cpu, final CompletableFuture<String> ready) {
        this.agent = agent;
        this.cpu = cpu;
        this.ready = ready;
        thread = new Thread(this::run, agent.roleName());
        thread.setDaemon(true);
    }

    void start() {
        thread.start();
    }

    String name() {
        return thread.getName();
    }

    /**
     * Waits until the thread has ended.
     *
     * @throws RuntimeException what ended it, when that was not {@link #close}; an Error is thrown likewise.
     */
    void awaitEnd() throws InterruptedException {
        ended.await();
        if (failure instanceof Error error) {
            throw error;
        }
        if (failure != null) {
            throw (RuntimeException) failure;
        }
    }

    /** Tells the thread to end, and waits until it has. */
    @Override
    public void close() {
        if (thread == Thread.currentThread()) {
            throw new IllegalStateException("close() from a callback would wait for itself");
        }
        stopping = true;
        agent.wakeUp();
        boolean interrupted = false;
        while (ended.getCount() > 0) {
            try {
                ended.await();
            } catch (final InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    private void end() {
        try {
            agent.onClose();
        } catch (final RuntimeException | Error e) {
            LOGGER.log(Level.ERROR, "the proxy did not stop cleanly", e);
            if (failure == null) {
                failure = e;
            }
        } finally {
            // Whatever has happened, nobody must wait for the end any longer.
            ended.countDown();
        }
    }

    private void run() {
        try {
            if (cpu != VsockProxy.ANY_CPU) {
                PosixException.check(Syscalls.schedSetaffinity(cpu), "sched_setaffinity to processor " + cpu);
            }
            agent.onStart();
            while (!stopping) {
                agent.doWork(-1);
            }
            agent.drain();
        } catch (final RuntimeException | Error e) {
            failure = e;
            LOGGER.log(Level.DEBUG, "the proxy failed", e);
            ready.completeExceptionally(e);
        } finally {
            end();
        }
    }
}
