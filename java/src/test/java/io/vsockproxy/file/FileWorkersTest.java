/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.file;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotSame;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.vsockproxy.loop.EventLoop;
import io.vsockproxy.testing.Await;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.BooleanSupplier;
import org.junit.jupiter.api.Test;

/** The threads that wait for disks. */
class FileWorkersTest {
    private static final int ROUNDS = 20;
    private static final int TIMEOUT_SECONDS = 20;

    private final AtomicInteger attempts = new AtomicInteger();

    @Test
    void shouldNotQueueATaskBehindOneThatWaitsWhileThereMayBeMoreThreads() throws InterruptedException {
        for (int i = 0; i < ROUNDS; i++) {
            try (EventLoop loop = new EventLoop(0, FileWorkersTest::failOn);
                FileWorkers workers = new FileWorkers(loop, 2)) {
                final AtomicReference<Thread> first = new AtomicReference<>();
                workers.execute(() -> first.set(Thread.currentThread()));
                Await.until(
                    () -> first.get() != null && first.get().getState() == Thread.State.TIMED_WAITING,
                    () -> "an idle worker");
                // The first of these is for the idle thread, the second is not.
                final CountDownLatch begun = new CountDownLatch(1);
                final CountDownLatch ended = new CountDownLatch(1);
                workers.execute(() -> await(begun, ended));
                workers.execute(begun::countDown);
                assertTrue(begun.await(TIMEOUT_SECONDS, TimeUnit.SECONDS), "round " + i);
                assertTrue(ended.await(TIMEOUT_SECONDS, TimeUnit.SECONDS), "round " + i);
            }
        }
    }

    @Test
    void shouldPerformATaskOnceAThreadCanBeStartedAgain() {
        final int failures = 3;
        try (EventLoop loop = new EventLoop(0, FileWorkersTest::failOn);
            FileWorkers workers = new FileWorkers(loop, 2, after(failures))) {
            final AtomicReference<Thread> performer = new AtomicReference<>();
            workers.execute(() -> performer.set(Thread.currentThread()));
            turnUntil(loop, () -> performer.get() != null);
            assertNotSame(Thread.currentThread(), performer.get());
            assertEquals(failures + 1, attempts.get());
        }
    }

    @Test
    void shouldPerformATaskTogetherWithALaterOneThoughTheLoopDoesNotTurn() {
        try (EventLoop loop = new EventLoop(0, FileWorkersTest::failOn);
            FileWorkers workers = new FileWorkers(loop, 2, after(1))) {
            final CountDownLatch first = new CountDownLatch(1);
            workers.execute(first::countDown);
            Await.until(
                () -> {
                    workers.execute(() -> { });
                    return first.getCount() == 0;
                },
                () -> "the first task");
        }
    }

    @Test
    void shouldPerformATaskOfAnotherThreadOnceAThreadCanBeStarted() throws InterruptedException {
        try (EventLoop loop = new EventLoop(0, FileWorkersTest::failOn);
            FileWorkers workers = new FileWorkers(loop, 2, after(1))) {
            loop.turn(0);
            final CountDownLatch performed = new CountDownLatch(1);
            final Thread other = new Thread(() -> workers.execute(performed::countDown));
            other.start();
            turnUntil(loop, () -> performed.getCount() == 0);
            other.join();
        }
    }

    @Test
    void shouldStartAThreadForEachTaskThatWaitsOnceThreadsCanBeStarted() throws InterruptedException {
        try (EventLoop loop = new EventLoop(0, FileWorkersTest::failOn);
            FileWorkers workers = new FileWorkers(loop, 2, after(1))) {
            final CountDownLatch begun = new CountDownLatch(2);
            final CountDownLatch ended = new CountDownLatch(2);
            for (int i = 0; i < 2; i++) {
                workers.execute(() -> {
                    begun.countDown();
                    // Each waits for the other.
                    await(begun, ended);
                });
            }
            turnUntil(loop, () -> begun.getCount() == 0);
            assertTrue(ended.await(TIMEOUT_SECONDS, TimeUnit.SECONDS));
        }
    }

    @Test
    void shouldTryToStartAThreadOnlyNowAndThen() {
        try (EventLoop loop = new EventLoop(0, FileWorkersTest::failOn);
            FileWorkers workers = new FileWorkers(loop, 2, after(Integer.MAX_VALUE))) {
            final long startNs = System.nanoTime();
            final int tasks = 1000;
            for (int i = 0; i < tasks; i++) {
                workers.execute(() -> { });
            }
            turnUntil(loop, () -> attempts.get() > 2);
            final long intervals = (System.nanoTime() - startNs) / FileWorkers.START_RETRY_NS;
            assertTrue(attempts.get() <= 1 + intervals, () -> attempts + " attempts in " + intervals + " intervals");
        }
    }

    @Test
    void shouldHaveTheThreadsThatThereArePerformAllTasks() throws InterruptedException {
        final ThreadFactory one = runnable -> {
            if (attempts.getAndIncrement() > 0) {
                throw new OutOfMemoryError("as if the kernel allowed one thread only");
            }
            return new Thread(runnable);
        };
        try (EventLoop loop = new EventLoop(0, FileWorkersTest::failOn);
            FileWorkers workers = new FileWorkers(loop, 2, one)) {
            final CountDownLatch performed = new CountDownLatch(ROUNDS);
            for (int i = 0; i < ROUNDS; i++) {
                workers.execute(performed::countDown);
            }
            assertTrue(performed.await(TIMEOUT_SECONDS, TimeUnit.SECONDS));
        }
    }

    @Test
    void shouldPerformWhatIsLeftAtTheEndEvenIfThereWasNeverAThread() {
        final List<String> events = new ArrayList<>();
        try (EventLoop loop = new EventLoop(0, FileWorkersTest::failOn);
            FileWorkers workers = new FileWorkers(loop, 2, after(Integer.MAX_VALUE))) {
            for (int i = 0; i < 2; i++) {
                workers.submit(new FileTask() {
                    @Override
                    void perform() {
                        events.add("performed");
                    }

                    @Override
                    void completed() {
                        events.add("completed");
                    }
                });
            }
            assertEquals(List.of(), events);
        }
        assertEquals(List.of("performed", "completed", "performed", "completed"), events);
    }

    /** Gives no thread until it has been asked so many times. */
    private ThreadFactory after(final int failures) {
        return runnable -> {
            if (attempts.getAndIncrement() < failures) {
                throw new OutOfMemoryError("as if the kernel allowed no thread");
            }
            return new Thread(runnable);
        };
    }

    private static void turnUntil(final EventLoop loop, final BooleanSupplier condition) {
        Await.until(
            () -> {
                loop.turn(0);
                return condition.getAsBoolean();
            },
            () -> "what the workers must do");
    }

    private static void failOn(final Throwable fault) {
        throw new AssertionError(fault);
    }

    private static void await(final CountDownLatch begun, final CountDownLatch ended) {
        try {
            begun.await();
            ended.countDown();
        } catch (final InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
