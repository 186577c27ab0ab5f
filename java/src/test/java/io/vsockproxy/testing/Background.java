/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.testing;

import java.util.Collection;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;

/**
 * Runs tasks that may block, each on a thread of its own.
 */
public final class Background {
    private Background() {
    }

    /** Starts {@code work}. */
    public static <T> CompletableFuture<T> start(final Callable<T> work) {
        final CompletableFuture<T> outcome = new CompletableFuture<>();
        final Thread thread = new Thread(() -> {
            try {
                outcome.complete(work.call());
            } catch (final Exception | AssertionError e) {
                outcome.completeExceptionally(e);
            }
        }, "background");
        thread.setDaemon(true);
        thread.start();
        return outcome;
    }

    /** Waits for the outcome, for a bounded time. */
    public static <T> T join(final CompletableFuture<T> outcome) {
        return outcome.orTimeout(2 * Await.TIMEOUT_MS, TimeUnit.MILLISECONDS).join();
    }

    /** Waits for all. */
    public static void joinAll(final Collection<? extends CompletableFuture<?>> outcomes) {
        outcomes.forEach(Background::join);
    }
}
