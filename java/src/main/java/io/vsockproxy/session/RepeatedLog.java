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
 * A rate-limited log for events that peers or applications can cause as often as they like. A line is logged when it is
 * new, and the same line again at most once a minute, with the number of times it was omitted. Confined to the loop's
 * thread.
 */
public final class RepeatedLog {
    static final long INTERVAL_NS = TimeUnit.MINUTES.toNanos(1);

    private final Logger logger;
    private final int maxLines;
    /** The lines logged in the last minute, oldest first. */
    private final Map<String, Line> lines = new LinkedHashMap<>();
    private long others;

    /** When a line was logged, and how often it was omitted since. */
    private static final class Line {
        private final long loggedNs;
        private long omitted;

        Line(final long loggedNs) {
            this.loggedNs = loggedNs;
        }
    }

    /**
     * @param logger   where the lines go.
     * @param maxLines how many different lines a minute may have; further ones are only counted.
     */
    public RepeatedLog(final Logger logger, final int maxLines) {
        this.logger = logger;
        this.maxLines = maxLines;
    }

    /**
     * Logs {@code text}, unless the same was logged within the last minute or there are too many lines.
     *
     * @param nowNs System.nanoTime(), approximately.
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
