/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.loop;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

class SpinPolicyTest {
    private static final long LIMIT_NS = TimeUnit.MICROSECONDS.toNanos(100);
    private static final long SHORT_NS = LIMIT_NS / 2;
    private static final long LOOK_NS = 500;

    private final SpinPolicy policy = new SpinPolicy(LIMIT_NS);
    private long nowNs = System.nanoTime();

    @Test
    void shouldNeverSpinWhenToldSo() {
        assertFalse(new SpinPolicy(0).everSpins());
        assertTrue(policy.everSpins());
    }

    @Test
    void shouldSpinOnlyAfterShortWaitsInARow() {
        sleepFor(SHORT_NS, SpinPolicy.MIN_SHORT_WAITS - 1);
        assertEquals(0, policy.spinNs(nowNs));
        sleepFor(SHORT_NS, 1);
        assertEquals(LIMIT_NS, policy.spinNs(nowNs));
    }

    @Test
    void shouldBeginAnewAfterALongWait() {
        sleepFor(SHORT_NS, SpinPolicy.MIN_SHORT_WAITS - 1);
        sleepFor(SpinPolicy.SLEEP_FACTOR * LIMIT_NS + 1, 1);
        sleepFor(SHORT_NS, SpinPolicy.MIN_SHORT_WAITS - 1);
        assertEquals(0, policy.spinNs(nowNs));
    }

    @Test
    void shouldCountASleptWaitAsShortEvenIfBothSidesHadToWakeUp() {
        sleepFor(SpinPolicy.SLEEP_FACTOR * LIMIT_NS, SpinPolicy.MIN_SHORT_WAITS);
        assertEquals(LIMIT_NS, policy.spinNs(nowNs));
    }

    @Test
    void shouldAskForMoreShortWaitsEachTimeItHasSpunInVain() {
        int required = SpinPolicy.MIN_SHORT_WAITS;
        for (int i = 0; i < 10; i++) {
            sleepFor(SHORT_NS, required - 1);
            assertEquals(0, policy.spinNs(nowNs), "after " + i + " times in vain");
            sleepFor(SHORT_NS, 1);
            assertEquals(LIMIT_NS, policy.spinNs(nowNs), "after " + i + " times in vain");
            policy.onSpunInVain();
            required = Math.min(2 * required, SpinPolicy.MAX_SHORT_WAITS);
        }
        assertEquals(SpinPolicy.MAX_SHORT_WAITS, required);
    }

    @Test
    void shouldAskForFewerWhenSpinningHasPaid() {
        begin();
        policy.onSpunInVain();
        sleepFor(SHORT_NS, 2 * SpinPolicy.MIN_SHORT_WAITS);
        for (int i = 0; i < SpinPolicy.MIN_SHORT_WAITS; i++) {
            policy.onSpun();
        }
        // Too long to count.
        sleepFor(Long.MAX_VALUE, 1);
        sleepFor(SHORT_NS, SpinPolicy.MIN_SHORT_WAITS);
        assertEquals(LIMIT_NS, policy.spinNs(nowNs));
    }

    @Test
    void shouldPauseBrieflyWhenAnotherThreadHasHadTheProcessor() {
        begin();
        assertTrue(policy.onLooked(LOOK_NS, nowNs));
        assertFalse(policy.onLooked(SpinPolicy.CONTENDED_NS, nowNs));
        assertEquals(0, policy.spinNs(nowNs));
        nowNs += SpinPolicy.MIN_PAUSE_NS - 1;
        assertEquals(0, policy.spinNs(nowNs));
        nowNs++;
        assertEquals(LIMIT_NS, policy.spinNs(nowNs));
    }

    @Test
    void shouldPauseForTwiceAsLongWhileEachAttemptMeetsAnotherThread() {
        begin();
        long pauseNs = SpinPolicy.MIN_PAUSE_NS;
        for (int i = 0; i < 15; i++) {
            assertFalse(policy.onLooked(SpinPolicy.CONTENDED_NS, nowNs));
            nowNs += pauseNs - 1;
            assertEquals(0, policy.spinNs(nowNs), "pause " + i);
            nowNs++;
            assertEquals(LIMIT_NS, policy.spinNs(nowNs), "pause " + i);
            pauseNs = Math.min(2 * pauseNs, SpinPolicy.MAX_PAUSE_NS);
        }
        assertEquals(SpinPolicy.MAX_PAUSE_NS, pauseNs);
    }

    @Test
    void shouldForgetSomebodyWhoHasNotComeAgain() {
        begin();
        policy.onLooked(SpinPolicy.CONTENDED_NS, nowNs);
        nowNs += SpinPolicy.MIN_PAUSE_NS + SpinPolicy.FORGIVE_FACTOR * SpinPolicy.MIN_PAUSE_NS + 1;
        assertEquals(LIMIT_NS, policy.spinNs(nowNs));
        policy.onLooked(SpinPolicy.CONTENDED_NS, nowNs);
        nowNs += SpinPolicy.MIN_PAUSE_NS;
        assertEquals(LIMIT_NS, policy.spinNs(nowNs));
    }

    private void begin() {
        sleepFor(SHORT_NS, SpinPolicy.MIN_SHORT_WAITS);
        assertEquals(LIMIT_NS, policy.spinNs(nowNs));
    }

    private void sleepFor(final long waitNs, final int times) {
        for (int i = 0; i < times; i++) {
            policy.onSlept(waitNs);
        }
    }
}
