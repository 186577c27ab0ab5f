/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.endtoend;

import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import org.HdrHistogram.Histogram;

/**
 * What was measured, by way and by length: all rounds' round trips together, and the median of the rounds' throughput.
 */
final class Results {
    private static final double NS_PER_US = 1000;

    private final Map<String, Map<Integer, Histogram>> roundTrips = new LinkedHashMap<>();
    private final Map<String, Map<Integer, List<Double>>> throughput = new LinkedHashMap<>();
    private String proxyFlags = "";

    void addRoundTrips(final String way, final int length, final Histogram times) {
        final Map<Integer, Histogram> ofWay = roundTrips.computeIfAbsent(way, key -> new TreeMap<>());
        final Histogram before = ofWay.putIfAbsent(length, times);
        if (before != null) {
            before.add(times);
        }
    }

    void addThroughput(final String way, final int length, final double mibPerS) {
        throughput.computeIfAbsent(way, key -> new TreeMap<>())
            .computeIfAbsent(length, key -> new ArrayList<>()).add(mibPerS);
    }

    /** The flags with which the proxies' JVMs ran. */
    void proxyFlags(final String flags) {
        proxyFlags = flags;
    }

    /** The same. */
    String proxyFlags() {
        return proxyFlags;
    }

    /** In the order measured. */
    List<String> ways() {
        return List.copyOf(roundTrips.keySet());
    }

    /** Nanoseconds. */
    Histogram roundTrips(final String way, final int length) {
        return roundTrips.get(way).get(length);
    }

    /** Microseconds of the round trip than which {@code percentile} of 100 are no longer. */
    double roundTripUs(final String way, final int length, final double percentile) {
        return roundTrips(way, length).getValueAtPercentile(percentile) / NS_PER_US;
    }

    /** MiB/s. */
    double throughput(final String way, final int length) {
        final List<Double> sorted = new ArrayList<>(throughput.get(way).get(length));
        Collections.sort(sorted);
        return sorted.get(sorted.size() / 2);
    }

    /** A few lines for the terminal. */
    String summary() {
        final StringBuilder text = new StringBuilder(String.format(
            Locale.ROOT, "%n  %-24s %10s %10s %12s%n", "", "64 B p50", "64 B p99", "64 KiB"));
        for (final String way : ways()) {
            text.append(String.format(Locale.ROOT, "  %-24s %7.1f us %7.1f us %6.0f MiB/s%n",
                way, roundTripUs(way, 64, 50), roundTripUs(way, 64, 99), throughput(way, 65_536)));
        }
        return text.toString();
    }
}
