/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.session;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.vsockproxy.testing.LogCapture;
import java.lang.System.Logger.Level;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class RepeatedLogTest {
    /** Negative, as System.nanoTime() may be. */
    private static final long START_NS = -1;
    private static final int MAX_LINES = 64;
    private static final long ALMOST_NS = RepeatedLog.INTERVAL_NS - 1;

    private final LogCapture capture = new LogCapture();
    private final RepeatedLog log = new RepeatedLog(System.getLogger(RepeatedLogTest.class.getName()), MAX_LINES);

    @AfterEach
    void closeCapture() {
        capture.close();
    }

    @Test
    void shouldRepeatALogLineAfterAMinuteWithTheNumberOfTimesItWasLeftOut() {
        log("{0} is no format", START_NS);
        log("{0} is no format", START_NS + 1);
        log("{0} is no format", START_NS + ALMOST_NS);
        assertEquals(List.of("INFO {0} is no format"), lines());
        log("{0} is no format", START_NS + RepeatedLog.INTERVAL_NS);
        log("{0} is no format", START_NS + RepeatedLog.INTERVAL_NS + 1);
        assertEquals(
            List.of("INFO {0} is no format", "INFO {0} is no format; 2 more since the last"), lines());
    }

    @Test
    void shouldLogALineThatIsRareEachTime() {
        log("a", START_NS);
        log("a", START_NS + RepeatedLog.INTERVAL_NS);
        assertEquals(List.of("INFO a", "INFO a"), lines());
    }

    @Test
    void shouldLogALimitedNumberOfDifferentLinesPerMinuteAndCountTheRest() {
        for (int i = 0; i < MAX_LINES + 3; i++) {
            log("line " + i, START_NS);
        }
        assertEquals(MAX_LINES, lines().size());
        log("later", START_NS + ALMOST_NS);
        assertEquals(MAX_LINES, lines().size());
        log("later", START_NS + RepeatedLog.INTERVAL_NS);
        assertEquals("INFO later; 4 others were not logged", lines().get(MAX_LINES));
    }

    private void log(final String text, final long nowNs) {
        log.log(Level.INFO, text, nowNs);
    }

    private List<String> lines() {
        return capture.linesWith("");
    }
}
