/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.demo;

import java.io.PrintStream;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.TimeUnit;

/**
 * Shows progress while the demo runs, and the table at its end. On a terminal, a line is overwritten while a step goes
 * on; elsewhere each step prints one line when it is done.
 *
 * <p>Any thread may report progress; the other methods are for the main thread.
 */
public final class Screen {
    private static final long REFRESH_NS = TimeUnit.MILLISECONDS.toNanos(100);
    private static final String CLEAR_LINE = "\r\u001b[K";
    private static final String[] HEADINGS = {"what", "how much", "MiB/s", "p50 us", "p99 us"};

    private final PrintStream out;
    private final boolean terminal;
    private String step = "";
    private long startNs;
    private long shownNs;

    /**
     * @param terminal whether lines can be overwritten.
     */
    public Screen(final PrintStream out, final boolean terminal) {
        this.out = out;
        this.terminal = terminal;
    }

    /** A step begins. */
    public synchronized void begin(final String name) {
        step = name;
        startNs = System.nanoTime();
        shownNs = startNs - REFRESH_NS;
        progress("");
    }

    /** How far the step has come. */
    public synchronized void progress(final String soFar) {
        final long nowNs = System.nanoTime();
        if (terminal && nowNs - shownNs >= REFRESH_NS) {
            shownNs = nowNs;
            out.print(CLEAR_LINE + "  ..  " + step + (soFar.isEmpty() ? "" : ": " + soFar));
            out.flush();
        }
    }

    /** The step has gone well. */
    public synchronized void done() {
        final long tookMs = TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - startNs);
        out.printf(Locale.ROOT, "%s  ok  %s (%.1f s)%n", terminal ? CLEAR_LINE : "", step, tookMs / 1000.0);
    }

    /** Something to know that is no failure. */
    public synchronized void note(final String text) {
        out.printf("%s  --  %s%n", terminal ? CLEAR_LINE : "", text);
    }

    /** The step has failed. */
    public synchronized void failed(final String reason) {
        out.printf("%s  FAILED  %s: %s%n", terminal ? CLEAR_LINE : "", step, reason);
    }

    /** The closing table. */
    synchronized void table(final List<Row> rows) {
        final int[] widths = new int[HEADINGS.length];
        measure(widths, HEADINGS);
        rows.forEach(row -> measure(widths, cells(row)));
        out.println();
        line(widths, HEADINGS);
        final String[] rule = new String[HEADINGS.length];
        for (int i = 0; i < rule.length; i++) {
            rule[i] = "-".repeat(widths[i]);
        }
        line(widths, rule);
        rows.forEach(row -> line(widths, cells(row)));
        out.println();
    }

    private void line(final int[] widths, final String[] cells) {
        final StringBuilder line = new StringBuilder(" ");
        for (int i = 0; i < cells.length; i++) {
            final String padding = " ".repeat(widths[i] - cells[i].length());
            // Words are left-aligned, numbers right-aligned.
            line.append(' ').append(i < 2 ? cells[i] + padding : padding + cells[i]).append(' ');
        }
        out.println(line.toString().stripTrailing());
    }

    private static String[] cells(final Row row) {
        return new String[] {row.what(), row.howMuch(), row.rate(), row.p50(), row.p99()};
    }

    private static void measure(final int[] widths, final String[] cells) {
        for (int i = 0; i < cells.length; i++) {
            widths[i] = Math.max(widths[i], cells[i].length());
        }
    }
}
