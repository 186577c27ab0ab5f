/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.file;

import io.vsockproxy.loop.EventLoop;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.util.ArrayDeque;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;

/**
 * A few threads that wait for disks, so that the loop does not have to. They start when needed and end when idle.
 *
 * <p>Tasks are passed to a worker through a list under {@link #lock}, and back through another list under the same
 * lock, with one command to the loop for all tasks done since it last looked. Nothing is allocated for that.
 */
public final class FileWorkers implements Executor, AutoCloseable {
    private static final Logger LOGGER = System.getLogger(FileWorkers.class.getName());
    private static final long IDLE_MS = 10_000;
    private static final long STOP_NS = TimeUnit.SECONDS.toNanos(5);
    private static final long RETRY_NS = 100_000;

    private final EventLoop loop;
    private final int maxThreads;
    private final Runnable drain = this::drain;
    private final Object lock = new Object();
    private final ArrayDeque<Thread> threads = new ArrayDeque<>();
    private FileTask firstTask;
    private FileTask lastTask;
    private FileTask firstDone;
    private FileTask lastDone;
    private int threadNumber;
    private int idleThreads;
    private int queued;
    private boolean stopping;

    /**
     * @param threads the most threads, and so the most tasks that can wait for disks at once.
     */
    public FileWorkers(final EventLoop loop, final int threads) {
        this.loop = loop;
        this.maxThreads = threads;
    }

    /**
     * Any thread: has a worker run {@code work}, which may block.
     *
     * @throws RejectedExecutionException once {@link #close}d.
     */
    @Override
    public void execute(final Runnable work) {
        final boolean accepted = offer(new FileTask() {
            @Override
            void perform() {
                work.run();
            }

            @Override
            void completed() {
                // The work itself reports its outcome, if it wants to.
            }
        });
        if (!accepted) {
            throw new RejectedExecutionException("the workers have been stopped");
        }
    }

    /** The most tasks that can be performed at once. */
    int threadCount() {
        return maxThreads;
    }

    EventLoop loop() {
        return loop;
    }

    /**
     * Loop's thread: has a worker perform {@code task}. After {@link #close} it is performed right here, because there
     * are no workers any more.
     */
    void submit(final FileTask task) {
        if (!offer(task)) {
            task.perform();
            task.completed();
        }
    }

    /**
     * Loop's thread: stops the workers. Tasks they already have are performed, and completed here, if that takes no
     * more than five seconds; a worker that waits for a disk for longer is left to itself.
     */
    @Override
    public void close() {
        final long deadlineNs = System.nanoTime() + STOP_NS;
        synchronized (lock) {
            stopping = true;
            lock.notifyAll();
            while (!threads.isEmpty() && System.nanoTime() - deadlineNs < 0) {
                try {
                    TimeUnit.NANOSECONDS.timedWait(lock, deadlineNs - System.nanoTime());
                } catch (final InterruptedException e) {
                    Thread.currentThread().interrupt();
                    break;
                }
            }
            if (!threads.isEmpty()) {
                LOGGER.log(Level.WARNING, "{0} file workers still wait for a disk; their files stay open",
                    threads.size());
            }
        }
        drain();
    }

    private boolean offer(final FileTask task) {
        synchronized (lock) {
            if (stopping) {
                return false;
            }
            if (firstTask == null) {
                firstTask = task;
            } else {
                lastTask.nextTask = task;
            }
            lastTask = task;
            queued++;
            // A notified thread counts as idle until it runs, and each thread takes one task at a time.
            if (queued > idleThreads && threads.size() < maxThreads) {
                startThread();
            } else {
                lock.notify();
            }
            return true;
        }
    }

    private void startThread() {
        final Thread thread = new Thread(this::work, "vsock-proxy-file-" + ++threadNumber);
        thread.setDaemon(true);
        threads.add(thread);
        thread.start();
    }

    private void work() {
        for (FileTask task = take(); task != null; task = take()) {
            try {
                task.perform();
            } catch (final RuntimeException | Error e) {
                // No task should throw; if one does, the rest of the queue must not suffer.
                LOGGER.log(Level.ERROR, "a file worker failed", e);
            }
            done(task);
        }
    }

    /** The next task; or null, when the thread must end and is no longer counted. */
    private FileTask take() {
        synchronized (lock) {
            final long deadlineNs = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(IDLE_MS);
            while (firstTask == null) {
                final long leftNs = deadlineNs - System.nanoTime();
                if (stopping || leftNs <= 0) {
                    threads.remove(Thread.currentThread());
                    lock.notifyAll();
                    return null;
                }
                idleThreads++;
                try {
                    TimeUnit.NANOSECONDS.timedWait(lock, leftNs);
                } catch (final InterruptedException e) {
                    // Nobody should interrupt a worker; it counts as a spurious wake-up.
                    LOGGER.log(Level.DEBUG, "a file worker was interrupted", e);
                } finally {
                    idleThreads--;
                }
            }
            final FileTask task = firstTask;
            firstTask = task.nextTask;
            task.nextTask = null;
            queued--;
            return task;
        }
    }

    private void done(final FileTask task) {
        final boolean first;
        synchronized (lock) {
            first = firstDone == null;
            if (first) {
                firstDone = task;
            } else {
                lastDone.nextTask = task;
            }
            lastDone = task;
        }
        // The loop may be too busy to take a command, or have stopped for good; in the latter case close() drains.
        while (first && !isStopping() && !loop.execute(drain)) {
            LockSupport.parkNanos(RETRY_NS);
        }
    }

    private boolean isStopping() {
        synchronized (lock) {
            return stopping;
        }
    }

    private void drain() {
        FileTask task;
        synchronized (lock) {
            task = firstDone;
            firstDone = null;
            lastDone = null;
        }
        while (task != null) {
            final FileTask next = task.nextTask;
            task.nextTask = null;
            task.completed();
            task = next;
        }
    }
}
