/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.file;

import io.vsockproxy.loop.EventLoop;
import io.vsockproxy.posix.OwnedFd;
import java.util.concurrent.Executor;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;

/**
 * A few threads that wait for disks, so that the loop does not have to. They start when first needed and end when idle.
 *
 * <p>Hand-over: to a worker by the executor's queue, back by {@link EventLoop#execute}.
 */
public final class FileWorkers implements Executor, AutoCloseable {
    private static final long IDLE_SECONDS = 10;
    private static final long STOP_SECONDS = 5;
    private static final long RETRY_NS = 100_000;

    private final EventLoop loop;
    private final ThreadPoolExecutor executor;

    /**
     * @param threads how many requests may be waiting for disks at once.
     */
    public FileWorkers(final EventLoop loop, final int threads) {
        this.loop = loop;
        final AtomicInteger number = new AtomicInteger();
        executor = new ThreadPoolExecutor(
            threads, threads, IDLE_SECONDS, TimeUnit.SECONDS, new LinkedBlockingQueue<>(), task -> {
                final Thread thread = new Thread(task, "vsock-proxy-file-" + number.incrementAndGet());
                thread.setDaemon(true);
                return thread;
            });
        executor.allowCoreThreadTimeOut(true);
    }

    /** Has {@code work}, which may block, done by a worker. */
    @Override
    public void execute(final Runnable work) {
        executor.execute(work);
    }

    /** Closes a file's descriptor. Takes ownership. */
    public void close(final OwnedFd descriptor) {
        executor.execute(descriptor::close);
    }

    /** Stops the workers; what they are in the middle of is waited for, for a bounded time. */
    @Override
    public void close() {
        executor.shutdown();
        try {
            executor.awaitTermination(STOP_SECONDS, TimeUnit.SECONDS);
        } catch (final InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /** Has {@code work} done by a worker, and then {@code completion} by the loop. */
    void submit(final Runnable work, final Runnable completion) {
        executor.execute(() -> {
            work.run();
            while (!loop.execute(completion)) {
                LockSupport.parkNanos(RETRY_NS);
            }
        });
    }
}
