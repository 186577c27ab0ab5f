/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.endtoend;

import io.vsockproxy.demo.DemoException;
import io.vsockproxy.demo.Screen;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.HdrHistogram.Histogram;

/**
 * Measures the available ways in turns and writes the page. Exits with status 0, or with 1 when something did not work.
 */
public final class EndToEnd {
    /** Bytes of a request and its reply. */
    static final List<Integer> ROUND_TRIP_LENGTHS = List.of(64, 4096, 65_536);
    /** Bytes of a write. */
    static final List<Integer> WRITE_LENGTHS = List.of(64, 512, 4096, 16_384, 65_536, 262_144);

    /** How long to measure: rounds over everything, and the times of each measurement in a round. */
    record Pace(int rounds, long warmUpMs, long measureMs) {
        static final Pace FULL = new Pace(5, 300, 700);
        static final Pace QUICK = new Pace(1, 200, 400);
    }

    private EndToEnd() {
    }

    /**
     * Runs all measurements.
     *
     * @param arguments the launcher of the proxies; an empty directory; the page to write; {@code full} or
     *                  {@code quick}; whether standard output is a terminal, {@code true} or {@code false}.
     */
    public static void main(final String[] arguments) throws IOException {
        final Screen screen = new Screen(System.out, Boolean.parseBoolean(arguments[4]));
        final Pace pace = "quick".equals(arguments[3]) ? Pace.QUICK : Pace.FULL;
        int status = 0;
        try {
            final Results results = measure(
                Path.of(arguments[0]), Path.of(arguments[1]).toAbsolutePath(), pace, screen);
            Files.writeString(Path.of(arguments[2]), Page.of(results, Machine.describe(pace, results.proxyFlags())));
            System.out.println(results.summary());
        } catch (final DemoException e) {
            screen.failed(e.getMessage());
            status = 1;
        }
        // Not a return: a connection that hangs would keep its thread.
        System.exit(status);
    }

    /** Starts every way, measures them in turns, and ends them. */
    static Results measure(final Path launcher, final Path directory, final Pace pace, final Screen screen)
        throws IOException {
        final Map<String, Way> ways = new LinkedHashMap<>();
        try {
            screen.begin("starting");
            int number = 0;
            for (final String name : Way.available()) {
                screen.progress(name);
                ways.put(name, Way.start(name, launcher, directory.resolve("way-" + number++)));
            }
            screen.done();
            final Results results = new Results();
            results.proxyFlags(ways.values().stream().map(Way::jvmFlags)
                .filter(flags -> !flags.isEmpty()).findFirst().orElse(""));
            for (int round = 1; round <= pace.rounds(); round++) {
                screen.begin("round " + round + " of " + pace.rounds());
                for (final Map.Entry<String, Way> way : ways.entrySet()) {
                    measure(way.getKey(), way.getValue(), pace, results, screen);
                }
                screen.done();
            }
            return results;
        } finally {
            ways.values().forEach(Way::close);
        }
    }

    private static void measure(
        final String name, final Way way, final Pace pace, final Results results, final Screen screen) {
        final long warmUpNs = TimeUnit.MILLISECONDS.toNanos(pace.warmUpMs());
        final long measureNs = TimeUnit.MILLISECONDS.toNanos(pace.measureMs());
        for (final int length : ROUND_TRIP_LENGTHS) {
            screen.progress(name + ", round trips of " + Page.bytes(length));
            final Histogram times = Measurements.roundTrips(way.connect(), length, warmUpNs, measureNs);
            results.addRoundTrips(name, length, times);
        }
        for (final int length : WRITE_LENGTHS) {
            screen.progress(name + ", throughput in writes of " + Page.bytes(length));
            results.addThroughput(name, length, Measurements.throughput(way.connect(), length, warmUpNs, measureNs));
        }
    }
}
