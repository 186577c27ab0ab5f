/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.endtoend;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/**
 * A line chart as SVG. Both axes take positions that the caller has scaled to 0..1.
 */
final class Chart {
    private static final int WIDTH = 520;
    private static final int HEIGHT = 340;
    private static final int LEFT = 62;
    private static final int RIGHT = 32;
    private static final int TOP = 12;
    private static final int BOTTOM = 48;

    private final StringBuilder body = new StringBuilder();
    private final String title;

    /** A line's points; {@code name} is for those who point at one. */
    record Point(double x, double y, String name) {
        Point(final double x, final double y) {
            this(x, y, "");
        }
    }

    Chart(final String title, final String xLabel, final String yLabel) {
        this.title = title;
        text("middle", (LEFT + WIDTH - RIGHT) / 2.0, HEIGHT - 8, "axis", xLabel);
        body.append(String.format(Locale.ROOT,
            "<text class=\"axis\" text-anchor=\"middle\" transform=\"translate(14 %d) rotate(-90)\">%s</text>%n",
            (TOP + HEIGHT - BOTTOM) / 2, Page.escape(yLabel)));
    }

    /** The position of {@code value} between two others, on a logarithmic scale. */
    static double log(final double value, final double lowest, final double highest) {
        return Math.log(value / lowest) / Math.log(highest / lowest);
    }

    void xTick(final double position, final String label) {
        grid(x(position), x(position), TOP, HEIGHT - BOTTOM);
        text("middle", x(position), HEIGHT - BOTTOM + 17, "tick", label);
    }

    void yTick(final double position, final String label) {
        grid(LEFT, WIDTH - RIGHT, y(position), y(position));
        text("end", LEFT - 7, y(position) + 4, "tick", label);
    }

    /** Line number {@code series}, named for those who point at it. */
    void line(final int series, final String name, final List<Point> points, final boolean marked) {
        final List<String> places = new ArrayList<>();
        for (final Point point : points) {
            places.add(String.format(Locale.ROOT, "%.1f,%.1f", x(point.x()), y(point.y())));
        }
        body.append(String.format("<g class=\"s%d\" data-series=\"%s\"><title>%s</title><polyline points=\"%s\"/>",
            series, Page.escape(name), Page.escape(name), String.join(" ", places)));
        if (marked) {
            for (final Point point : points) {
                body.append(String.format(Locale.ROOT,
                    "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"3\"><title>%s</title></circle>",
                    x(point.x()), y(point.y()), Page.escape(point.name())));
            }
        }
        body.append("</g>\n");
    }

    String svg() {
        return String.format("<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"%s\">%n%s</svg>%n",
            WIDTH, HEIGHT, Page.escape(title), body);
    }

    private void grid(final double x1, final double x2, final double y1, final double y2) {
        body.append(String.format(Locale.ROOT,
            "<line class=\"grid\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\"/>%n", x1, x2, y1, y2));
    }

    private void text(final String anchor, final double x, final double y, final String kind, final String text) {
        body.append(String.format(Locale.ROOT,
            "<text class=\"%s\" text-anchor=\"%s\" x=\"%.1f\" y=\"%.1f\">%s</text>%n",
            kind, anchor, x, y, Page.escape(text)));
    }

    private static double x(final double position) {
        return LEFT + position * (WIDTH - RIGHT - LEFT);
    }

    private static double y(final double position) {
        return HEIGHT - BOTTOM - position * (HEIGHT - BOTTOM - TOP);
    }
}
