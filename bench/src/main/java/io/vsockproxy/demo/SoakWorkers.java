/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.demo;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.concurrent.locks.ReentrantReadWriteLock;

/**
 * The threads of a soak. Each runs one load again and again, and can be halted between two runs.
 */
final class SoakWorkers {
    /** No load takes longer, even on a slow machine. */
    private static final long HALT_TIMEOUT_S = 90;
    private static final int MAX_PAUSE_MS = 50;

    private final SoakLedger ledger;
    private final Random seeds;
    private final ReentrantReadWriteLock lock = new ReentrantReadWriteLock(true);
    private final List<FutureTask<Void>> tasks = new ArrayList<>();
    private final Map<String, String> running = new ConcurrentHashMap<>();
    private volatile boolean ending;

    SoakWorkers(final SoakLedger ledger, final long seed) {
        this.ledger = ledger;
        seeds = new Random(seed);
    }

    /**
     * Starts a thread that runs {@code load} through {@code guest} again and again.
     *
     * @param pauseMs between two runs, plus a little.
     */
    void start(final String name, final SoakLoad load, final SoakGuest guest, final int pauseMs) {
        repeat(name, pauseMs, random -> {
            final int generation = guest.generation();
            if (generation % 2 != 0) {
                return;
            }
            try {
                load.run(guest.service(), random, ledger);
            } catch (final WrongByteException e) {
                // An early end is a failure too, unless the guest was killed meanwhile.
                if (!e.isEarlyEnd() || guest.generation() == generation) {
                    throw e;
                }
                ledger.count("cut short");
            } catch (final RuntimeException e) {
                if (guest.generation() == generation) {
                    throw e;
                }
                ledger.count("cut short");
            }
        });
    }

    /** Has {@code guest} killed and started anew again and again. */
    void startKilling(final SoakGuest guest, final int pauseMs) {
        repeat("kill a guest", pauseMs, random -> {
            guest.restart();
            ledger.count("killed guests");
        });
    }

    /** Waits until all are between two times, and keeps them there while {@code work} is done. */
    void halted(final Runnable work) {
        try {
            if (!lock.writeLock().tryLock(HALT_TIMEOUT_S, TimeUnit.SECONDS)) {
                throw new DemoException("not done after " + HALT_TIMEOUT_S + " s: " + running.keySet());
            }
        } catch (final InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new DemoException("interrupted", e);
        }
        try {
            work.run();
        } finally {
            lock.writeLock().unlock();
        }
    }

    /** Lets all of them end. */
    void stop() {
        ending = true;
        tasks.forEach(task -> Threads.await(task, HALT_TIMEOUT_S));
    }

    private interface Turn {
        void run(Random random);
    }

    private void repeat(final String name, final int pauseMs, final Turn turn) {
        final Random random = new Random(seeds.nextLong());
        tasks.add(Threads.start("soak-" + name, () -> {
            while (!ending) {
                LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(pauseMs + random.nextInt(MAX_PAUSE_MS)));
                lock.readLock().lock();
                running.put(name, name);
                try {
                    turn.run(random);
                } catch (final RuntimeException e) {
                    ledger.fault(name + ": " + e.getMessage());
                } finally {
                    running.remove(name);
                    lock.readLock().unlock();
                }
            }
        }));
    }
}
