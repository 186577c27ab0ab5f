/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.loop;

import java.util.concurrent.TimeUnit;

/**
 * Decides when to spin, that is to poll for readiness again and again, instead of sleeping: waking an idle CPU takes
 * longer than all the work for a small message.
 *
 * <p>Spinning pays while waits are short. So it begins after several short waits in a row, and ends with the first spin
 * in vain. A wait spent asleep lasts longer than it would have awake, because the other side sleeps too: it counts as
 * short up to {@value #SLEEP_FACTOR} times the limit. After each spin in vain, twice as many short waits are required
 * to begin again; so sparse traffic hardly ever spins.
 *
 * <p>It also pauses when the sched_yield between two polls takes long: another thread wants the CPU, and each further
 * yield could cost a whole time slice. A thread that wants it once, as the system's own threads do, causes a pause of a
 * few milliseconds; one that wants it at each attempt doubles the pause up to seconds.
 */
final class SpinPolicy {
    static final int MIN_SHORT_WAITS = 4;
    static final int MAX_SHORT_WAITS = 256;
    static final int SLEEP_FACTOR = 2;
    static final long CONTENDED_NS = TimeUnit.MICROSECONDS.toNanos(300);
    static final long MIN_PAUSE_NS = TimeUnit.MILLISECONDS.toNanos(5);
    static final long MAX_PAUSE_NS = TimeUnit.SECONDS.toNanos(5);
    /** Without contention for this many times the last pause, the next pause is a short one again. */
    static final int FORGIVE_FACTOR = 8;

    private final long limitNs;
    private int shortWaits;
    private int shortWaitsToBegin = MIN_SHORT_WAITS;
    private long pauseNs;
    private long pausedUntilNs;
    private boolean paused;

    /**
     * @param limitNs how long to spin before sleeping; 0 never spins.
     */
    SpinPolicy(final long limitNs) {
        this.limitNs = limitNs;
    }

    /** False when the limit is 0: then there is nothing to measure either. */
    boolean everSpins() {
        return limitNs > 0;
    }

    /** How long to spin before the next sleep, in ns; 0 for not at all. */
    long spinNs(final long nowNs) {
        if (shortWaits < shortWaitsToBegin) {
            return 0;
        }
        if (paused) {
            if (nowNs - pausedUntilNs < 0) {
                return 0;
            }
            paused = false;
        }
        return limitNs;
    }

    /** Something became ready after a sleep of {@code waitedNs}, without spinning. */
    void onSlept(final long waitedNs) {
        shortWaits = waitedNs <= SLEEP_FACTOR * limitNs ? Math.min(shortWaits + 1, shortWaitsToBegin) : 0;
    }

    /** Something became ready while spinning. */
    void onSpun() {
        shortWaitsToBegin = Math.max(shortWaitsToBegin - 1, MIN_SHORT_WAITS);
    }

    /** Nothing became ready while spinning, until the time was up or another thread wanted the CPU. */
    void onSpunInVain() {
        shortWaits = 0;
        shortWaitsToBegin = Math.min(2 * shortWaitsToBegin, MAX_SHORT_WAITS);
    }

    /**
     * One poll and yield took {@code lookNs}.
     *
     * @return false when that shows that another thread wants the CPU: sleep instead.
     */
    boolean onLooked(final long lookNs, final long nowNs) {
        if (lookNs < CONTENDED_NS) {
            return true;
        }
        final boolean again = pauseNs > 0 && nowNs - pausedUntilNs <= FORGIVE_FACTOR * pauseNs;
        pauseNs = again ? Math.min(2 * pauseNs, MAX_PAUSE_NS) : MIN_PAUSE_NS;
        paused = true;
        pausedUntilNs = nowNs + pauseNs;
        return false;
    }
}
