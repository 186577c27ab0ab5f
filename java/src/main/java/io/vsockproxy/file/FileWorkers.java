/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.file;

import io.vsockproxy.loop.EventLoop;
import io.vsockproxy.loop.Timer;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.util.ArrayDeque;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;

/**
 * A few threads that wait for disks, so that the loop does not have to. They start when needed and end when idle.
 *
 * <p>Tasks are passed to a worker through a list under {@link #lock}, and back through another list under the same
 * lock, with one command to the loop for all tasks done since it last looked. Nothing is allocated for that.
 *
 * <p>If the kernel allows no more threads, tasks wait for those that there are. If there are none, they wait until one
 * can be started, which is tried again and again.
 */
public final class FileWorkers implements Executor, AutoCloseable {
    /** When to try again to start a thread. At each attempt that fails, the JVM prints a warning. */
    static final long START_RETRY_NS = TimeUnit.MILLISECONDS.toNanos(100);

    private static final Logger LOGGER = System.getLogger(FileWorkers.class.getName());
    private static final long IDLE_MS = 10_000;
    private static final long STOP_NS = TimeUnit.SECONDS.toNanos(5);
    private static final long RETRY_NS = 100_000;

    private final EventLoop loop;
    private final int maxThreads;
    private final ThreadFactory threadFactory;
    private final Runnable drain = this::drain;
    private final Timer startTimer = new Timer(this::retryStart);
    private final Object lock = new Object();
    private final ArrayDeque<Thread> threads = new ArrayDeque<>();
    private FileTask firstTask;
    private FileTask lastTask;
    private FileTask firstDone;
    private FileTask lastDone;
    private int threadNumber;
    private int idleThreads;
    private int queued;
    /** Whether the last attempt to start a thread failed; then the next one is not made before that time. */
    private boolean startFailed;
    private long retryStartNs;
    private boolean stopping;

    /**
     * @param threads the most threads, and so the most tasks that can wait for disks at once.
     */
    public FileWorkers(final EventLoop loop, final int threads) {
        this(loop, threads, Thread::new);
    }

    FileWorkers(final EventLoop loop, final int threads, final ThreadFactory threadFactory) {
        this.loop = loop;
        this.maxThreads = threads;
        this.threadFactory = threadFactory;
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
     * more than five seconds; a worker that waits for a disk for longer is left to itself. If there is no worker,
     * because none could be started, they are performed here.
     */
    @Override
    public void close() {
        final long deadlineNs = System.nanoTime() + STOP_NS;
        loop.cancel(startTimer);
        FileTask unperformed = null;
        synchronized (lock) {
            stopping = true;
            if (threads.isEmpty()) {
                unperformed = firstTask;
                firstTask = null;
                queued = 0;
            }
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
        while (unperformed != null) {
            final FileTask next = unperformed.nextTask;
            unperformed.nextTask = null;
            performSafely(unperformed);
            unperformed.completed();
            unperformed = next;
        }
        drain();
    }

    private boolean offer(final FileTask task) {
        final boolean hasThread;
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
            hasThread = provideThread();
        }
        if (!hasThread) {
            postponeStart();
        }
        return true;
    }

    /** Has a thread take the task queued last. Returns false when none can be started, and that must be retried. */
    private boolean provideThread() {
        // A notified thread counts as idle until it runs, and each thread takes one task at a time.
        if (queued <= idleThreads || threads.size() >= maxThreads
            || (startFailed && System.nanoTime() - retryStartNs < 0)) {
            lock.notify();
            return true;
        }
        startFailed = !startThread();
        retryStartNs = System.nanoTime() + START_RETRY_NS;
        return !startFailed;
    }

    private boolean startThread() {
        try {
            final Thread thread = threadFactory.newThread(this::work);
            thread.setName("vsock-proxy-file-" + ++threadNumber);
            thread.setDaemon(true);
            thread.start();
            threads.add(thread);
            return true;
        } catch (final OutOfMemoryError e) {
            // This is also what Thread.start throws when the kernel allows no more threads (pthread_create(3): EAGAIN).
            if (!startFailed) {
                LOGGER.log(Level.WARNING, "no thread can be started; requests for files wait for {0} others: {1}",
                    threads.size(), e.getMessage());
            }
            return false;
        }
    }

    private void postponeStart() {
        if (loop.isOwnThread()) {
            loop.schedule(startTimer, START_RETRY_NS);
            return;
        }
        while (!isStopping() && !loop.execute(this::postponeStart)) {
            LockSupport.parkNanos(RETRY_NS);
        }
    }

    private void retryStart() {
        boolean hasThreads = true;
        synchronized (lock) {
            // The tasks that were queued meanwhile have not tried to start one by themselves.
            for (int missing = stopping ? 0 : queued - idleThreads; hasThreads && missing > 0; missing--) {
                hasThreads = provideThread();
            }
        }
        if (!hasThreads) {
            postponeStart();
        }
    }

    private void work() {
        for (FileTask task = take(); task != null; task = take()) {
            performSafely(task);
            done(task);
        }
    }

    private static void performSafely(final FileTask task) {
        try {
            task.perform();
        } catch (final RuntimeException | Error e) {
            // No task should throw; if one does, the rest of the queue must not suffer.
            LOGGER.log(Level.ERROR, "a file worker failed", e);
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
