/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.session;

import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/**
 * Logs what may happen as often as a peer or an application likes: a line when it is new, and the same again once a
 * minute at most, with how often it was left out. Confined to the loop's thread.
 */
public final class RepeatedLog {
    static final long INTERVAL_NS = TimeUnit.MINUTES.toNanos(1);

    private final Logger logger;
    private final int maxLines;
    /** What was logged in the last minute, the oldest first. */
    private final Map<String, Line> lines = new LinkedHashMap<>();
    private long others;

    /** When a line was logged, and how often it would have been since. */
    private static final class Line {
        private final long loggedNs;
        private long omitted;

        Line(final long loggedNs) {
            this.loggedNs = loggedNs;
        }
    }

    /**
     * @param logger   is given the lines that are to be seen.
     * @param maxLines of lines that differ there are so many in a minute; the rest is counted.
     */
    public RepeatedLog(final Logger logger, final int maxLines) {
        this.logger = logger;
        this.maxLines = maxLines;
    }

    /**
     * Logs {@code text}, unless it was logged a short while ago.
     *
     * @param nowNs System.nanoTime(), about.
     */
    public void log(final Level level, final String text, final long nowNs) {
        final Line before = lines.get(text);
        if (before != null && nowNs - before.loggedNs < INTERVAL_NS) {
            before.omitted++;
            return;
        }
        lines.remove(text);
        forgetOld(nowNs);
        if (lines.size() >= maxLines) {
            others++;
            return;
        }
        lines.put(text, new Line(nowNs));
        final String again = before == null || before.omitted == 0 ? ""
            : "; " + before.omitted + " more since the last";
        final String more = others == 0 ? "" : "; " + others + " others were not logged";
        others = 0;
        logger.log(level, text + again + more);
    }

    private void forgetOld(final long nowNs) {
        final Iterator<Line> oldestFirst = lines.values().iterator();
        while (oldestFirst.hasNext() && nowNs - oldestFirst.next().loggedNs >= INTERVAL_NS) {
            oldestFirst.remove();
        }
    }
}
