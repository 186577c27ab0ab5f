/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.loop;

import java.util.concurrent.TimeUnit;

/**
 * When to look for readiness again and again, instead of sleeping until it comes: waking an idle CPU takes longer than
 * all the work of a small message.
 *
 * <p>Spinning pays while waits are short. So it begins after some waits in a row have been short, and ends with the
 * first that it was in vain for. A wait that is slept through takes longer than it would have taken awake, as whoever
 * is waited for sleeps too: it counts as short up to {@value #SLEEP_FACTOR} times the limit. If that was too hopeful,
 * more of them are asked for the next time; so sparse traffic hardly ever spins.
 *
 * <p>It also ends, for a while, when giving the CPU away (sched_yield between two looks) did not bring it back soon:
 * somebody else has work for it, and each such yield would cost a whole time slice. Who comes once, as every machine's
 * own threads do, costs a few milliseconds; whoever is there again at each attempt is left alone for seconds.
 */
final class SpinPolicy {
    static final int MIN_SHORT_WAITS = 4;
    static final int MAX_SHORT_WAITS = 256;
    static final int SLEEP_FACTOR = 2;
    static final long CONTENDED_NS = TimeUnit.MICROSECONDS.toNanos(300);
    static final long MIN_PAUSE_NS = TimeUnit.MILLISECONDS.toNanos(5);
    static final long MAX_PAUSE_NS = TimeUnit.SECONDS.toNanos(5);
    /** Not to meet anybody for so many times the last pause forgets that there was somebody. */
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

    /** False when it was told never to spin, so that there is nothing to measure. */
    boolean everSpins() {
        return limitNs > 0;
    }

    /** How long to spin before sleeping, now: 0 for not at all. */
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

    /** A wait has ended, by something becoming ready, after {@code waitedNs} of nothing but sleep. */
    void onSlept(final long waitedNs) {
        shortWaits = waitedNs <= SLEEP_FACTOR * limitNs ? Math.min(shortWaits + 1, shortWaitsToBegin) : 0;
    }

    /** A wait has ended, by something becoming ready, while it was spun. */
    void onSpun() {
        shortWaitsToBegin = Math.max(shortWaitsToBegin - 1, MIN_SHORT_WAITS);
    }

    /** Nothing became ready for as long as it was spun, or until somebody else wanted the CPU. */
    void onSpunInVain() {
        shortWaits = 0;
        shortWaitsToBegin = Math.min(2 * shortWaitsToBegin, MAX_SHORT_WAITS);
    }

    /**
     * One look with a yield took {@code lookNs}.
     *
     * @return false when that shows that somebody else wants the CPU: sleep instead.
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
