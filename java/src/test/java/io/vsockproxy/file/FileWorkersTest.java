/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.file;

import static org.junit.jupiter.api.Assertions.assertTrue;

import io.vsockproxy.loop.EventLoop;
import io.vsockproxy.testing.Await;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;

/** The threads that wait for disks. */
class FileWorkersTest {
    private static final int ROUNDS = 20;
    private static final int TIMEOUT_SECONDS = 20;

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
