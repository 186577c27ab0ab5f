/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy;

import io.vsockproxy.loop.EventLoop;
import io.vsockproxy.loop.Timer;
import io.vsockproxy.session.RepeatedLog;
import io.vsockproxy.session.Session;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.util.concurrent.TimeUnit;

/**
 * Logs the beginning and end of sessions. A guest that its host does not serve gets a new session every second, which
 * the host closes without a word: of those only the first is logged, and then the first that lasts. Confined to the
 * loop's thread.
 */
final class SessionLog {
    private static final Logger LOGGER = System.getLogger(SessionLog.class.getName());
    /** A guest that has not been turned away after this time is being served. */
    private static final long LASTING_NS = TimeUnit.SECONDS.toNanos(1);

    /** Lines per minute: four beginnings and four ends a second. */
    private static final int MAX_LINES = 480;

    private final EventLoop loop;
    private final RepeatedLog log = new RepeatedLog(LOGGER, MAX_LINES);
    private final boolean isGuest;
    private final Timer lasting = new Timer(this::onLasting);
    /** Whether the last session was turned away, and none has lasted since. */
    private boolean turnedAway;
    private String beginning;

    SessionLog(final EventLoop loop, final boolean isGuest) {
        this.loop = loop;
        this.isGuest = isGuest;
    }

    /** A session has begun; {@code line} is what to log. */
    void onBegun(final String line) {
        log(line, turnedAway);
        if (turnedAway) {
            beginning = line;
            loop.schedule(lasting, LASTING_NS);
        }
    }

    /** A session is over. */
    void onEnded(final Session session, final String reason) {
        final boolean silent = session.counters().framesIn() == 0;
        log(session.name() + ": session ended: " + reason + " (" + session.counters() + ")", turnedAway && silent);
        loop.cancel(lasting);
        turnedAway = isGuest && silent;
    }

    private void onLasting() {
        turnedAway = false;
        log(beginning, false);
    }

    private void log(final String line, final boolean isNoNews) {
        if (isNoNews) {
            LOGGER.log(Level.DEBUG, line);
        } else {
            // Rate-limited: a guest may come and go as often as it likes.
            log.log(Level.INFO, line, loop.nowNs());
        }
    }
}
