/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.session;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.vsockproxy.config.SessionLimits;
import io.vsockproxy.fuse.FuseMount;
import org.junit.jupiter.api.Test;

class WriteWindowTest {
    private static final int LENGTH = 1000;

    private final WriteWindow window = new WriteWindow(4 * LENGTH);

    @Test
    void shouldBeOpenUntilItIsFullAndAgainAfterAnAnswer() {
        assertEquals(4, sendAll());
        window.onAnswered(LENGTH, 0);
        assertEquals(1, sendAll());
        for (int i = 0; i < 4; i++) {
            window.onAnswered(LENGTH, LENGTH);
        }
        assertEquals(4, sendAll());
    }

    @Test
    void shouldLetAWriteBeginHoweverLittleRoomIsLeft() {
        window.onSent(4 * LENGTH - 1);
        assertTrue(window.isOpen());
        window.onSent(10 * LENGTH);
        assertFalse(window.isOpen());
        window.onAnswered(10 * LENGTH, LENGTH);
        assertTrue(window.isOpen());
    }

    @Test
    void shouldCloseAfterARefusalAndGrowWithWhatIsWritten() {
        assertEquals(4, sendAll());
        window.onRefused(LENGTH);
        window.onRefused(LENGTH);
        assertFalse(window.isOpen());
        window.onAnswered(LENGTH, LENGTH);
        assertEquals(1, sendAll());
        window.onAnswered(LENGTH, LENGTH);
        window.onAnswered(LENGTH, LENGTH);
        assertEquals(4, sendAll());
    }

    @Test
    void shouldLetOneWriteThroughAtEachProbe() {
        assertEquals(4, sendAll());
        window.onRefused(LENGTH);
        for (int i = 0; i < 3; i++) {
            window.probe();
            assertEquals(1, sendAll());
            window.onRefused(LENGTH);
            assertFalse(window.isOpen());
        }
    }

    @Test
    void shouldStayOpenWhenAProbeFails() {
        window.onSent(LENGTH);
        window.onRefused(LENGTH);
        window.probe();
        assertEquals(1, sendAll());
        window.onAnswered(LENGTH, 0);
        assertTrue(window.isOpen());
    }

    @Test
    void shouldNotBeOpenedFurtherByAProbeThanItEverIs() {
        assertEquals(4, sendAll());
        window.probe();
        assertFalse(window.isOpen());
    }

    @Test
    void shouldFitIntoWhatTheOtherSideKeepsByDefault() {
        // The write that closes a window may exceed it, by less than its own length.
        final long most = WriteWindow.WRITE_BACK_LENGTH + WriteWindow.OWN_LENGTH + 2L * FuseMount.MAX_DATA_LENGTH;
        assertTrue(most <= SessionLimits.DEFAULTS.maxPendingFileWriteLength(), () -> "at most " + most + " bytes");
    }

    private int sendAll() {
        int count = 0;
        while (window.isOpen()) {
            window.onSent(LENGTH);
            count++;
        }
        return count;
    }
}
