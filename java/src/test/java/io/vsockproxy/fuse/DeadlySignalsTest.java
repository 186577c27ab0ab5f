/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.fuse;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.api.Test;

/** Which of a task's signals end it, by what its status file shows. */
class DeadlySignalsTest {
    /** Of the thread, of the process, blocked, ignored, caught; and whether one of them kills. */
    @ParameterizedTest
    @CsvSource({
        "0, 0, 0, 0, 0, false",
        // SIGKILL: sent as such, or because another signal ends all threads.
        "100, 0, 0, 0, 0, true",
        "0, 100, ffffffffffffffff, 0, 0, true",
        // SIGTERM; with a handler; blocked; ignored.
        "0, 4000, 0, 0, 0, true",
        "4000, 0, 0, 0, 4000, false",
        "0, 4000, 4000, 0, 0, false",
        "0, 4000, 0, 4000, 0, false",
        // SIGQUIT, which leaves a core, and so does not become SIGKILL at once; SIGRTMAX.
        "0, 4, 0, 0, 0, true",
        "0, 8000000000000000, 0, 0, 0, true",
        // SIGALRM with a handler, and SIGINT without.
        "2000, 2, 0, 0, 2000, true",
        // CHLD, CONT, STOP, TSTP, TTIN, TTOU, URG, WINCH, each without a handler.
        "0, 10000, 0, 0, 0, false",
        "0, 20000, 0, 0, 0, false",
        "40000, 0, 0, 0, 0, false",
        "0, 80000, 0, 0, 0, false",
        "0, 100000, 0, 0, 0, false",
        "0, 200000, 0, 0, 0, false",
        "0, 400000, 0, 0, 0, false",
        "0, 8000000, 0, 0, 0, false",
    })
    void shouldKnowWhichKill(
        final String own, final String shared, final String blocked, final String ignored, final String caught,
        final boolean kills) {
        assertEquals(kills, DeadlySignals.arePendingIn(List.of(
            "Name:\thead", "SigQ:\t1/95979", line("SigPnd", own), line("ShdPnd", shared), line("SigBlk", blocked),
            line("SigIgn", ignored), line("SigCgt", caught), "no colon")));
    }

    @Test
    void shouldTakeForDeadWhoCannotBeSeen() {
        assertTrue(DeadlySignals.arePendingFor(0));
        assertTrue(DeadlySignals.arePendingFor(Integer.MAX_VALUE));
        assertFalse(DeadlySignals.arePendingFor((int) ProcessHandle.current().pid()));
    }

    private static String line(final String name, final String mask) {
        return name + ":\t" + "0".repeat(16 - mask.length()) + mask;
    }
}
