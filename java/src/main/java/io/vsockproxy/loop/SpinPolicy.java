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
 * <p>Spinning pays while waits are short. So it begins after some waits in a row have ended inside the limit, and ends
 * with the first that has not; sparse traffic never spins. It also ends, for a while that doubles, when giving the CPU
 * away (sched_yield between two looks) did not bring it back soon: somebody else has work for it, and each such yield
 * would cost a whole time slice.
 */
final class SpinPolicy {
    private static final int SHORT_WAITS_TO_BEGIN = 4;
    private static final long CONTENDED_NS = TimeUnit.MICROSECONDS.toNanos(300);
    private static final long MIN_PAUSE_NS = TimeUnit.MILLISECONDS.toNanos(100);
    private static final long MAX_PAUSE_NS = TimeUnit.SECONDS.toNanos(5);
    /** Spinning for so long without meeting anybody forgets that there was somebody. */
    private static final long FORGIVE_NS = TimeUnit.SECONDS.toNanos(10);

    private final long limitNs;
    private int shortWaits;
    private long pauseNs = MIN_PAUSE_NS;
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
        if (shortWaits < SHORT_WAITS_TO_BEGIN) {
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

    /** A wait has ended, by something becoming ready, after {@code waitedNs} of spinning, sleeping or both. */
    void onWaited(final long waitedNs) {
        shortWaits = waitedNs <= limitNs ? Math.min(shortWaits + 1, SHORT_WAITS_TO_BEGIN) : 0;
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
        if (nowNs - pausedUntilNs > FORGIVE_NS) {
            pauseNs = MIN_PAUSE_NS;
        }
        paused = true;
        pausedUntilNs = nowNs + pauseNs;
        pauseNs = Math.min(pauseNs * 2, MAX_PAUSE_NS);
        return false;
    }
}
