/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.demo;

import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/**
 * Runs tasks beside a step's own thread. The threads are daemons: one that waits forever does not keep the demo from
 * ending.
 */
public final class Threads {
    private Threads() {
    }

    /** Starts {@code work}. */
    public static FutureTask<Void> start(final String name, final Runnable work) {
        final FutureTask<Void> task = new FutureTask<>(work, null);
        final Thread thread = new Thread(task, name);
        thread.setDaemon(true);
        thread.start();
        return task;
    }

    /**
     * Waits for the end of {@code task}.
     *
     * @throws DemoException when it failed, or when it takes longer than {@code timeoutS} seconds.
     */
    public static void await(final FutureTask<Void> task, final long timeoutS) {
        try {
            task.get(timeoutS, TimeUnit.SECONDS);
        } catch (final ExecutionException e) {
            throw new DemoException(e.getCause().getMessage(), e.getCause());
        } catch (final TimeoutException e) {
            throw new DemoException("not done after " + timeoutS + " s", e);
        } catch (final InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new DemoException("interrupted", e);
        }
    }
}
