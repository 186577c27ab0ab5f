/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.endtoend;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.ToDoubleFunction;

/**
 * The page: one file of well-formed XHTML that needs nothing else.
 */
final class Page {
    private static final double[] PERCENTILES = {0, 50, 90, 99, 99.9, 99.99};
    private static final double[] PERCENTILES_IN_TABLE = {50, 99, 99.9};
    private static final int STEPS = 160;
    private static final int KIB = 1024;
    private static final int[] LEADING_DIGITS = {1, 2, 5};
    private static final String STYLE = """
        :root { color-scheme: light dark; --ink: #1c2024; --dim: #5b6570; --rule: #d9dee3; --paper: #fff;
          --c0: #6b7280; --c1: #0b62d6; --c2: #0a8f8f; --c3: #15803d; --c4: #c2410c;
          --c5: #9333ea; --c6: #be185d }
        @media (prefers-color-scheme: dark) { :root { --ink: #e6e9ec; --dim: #9aa5b1; --rule: #333b44;
          --paper: #14181c; --c0: #9ca3af; --c1: #5aa2ff; --c2: #3ccfcf; --c3: #5fd37f; --c4: #ff8a4c;
          --c5: #c58bff; --c6: #ff7ab6 } }
        body { margin: 0 auto; padding: 1.5rem 1rem 3rem; max-width: 72rem; background: var(--paper);
          color: var(--ink); font: 16px/1.45 system-ui, sans-serif }
        h1 { font-size: 1.5rem; margin: 0 0 .3rem } h2 { font-size: 1.15rem; margin: 2rem 0 .3rem }
        h3 { font-size: 1rem; margin: 0 0 .2rem; font-weight: 600 } p { margin: .3rem 0; color: var(--dim) }
        .charts { display: grid; gap: 1.2rem; grid-template-columns: repeat(auto-fill, minmax(min(100%, 27rem), 1fr)) }
        figure { margin: 0 } svg { width: 100%; height: auto; display: block }
        .grid { stroke: var(--rule) } text { fill: var(--dim); font-size: 13px }
        polyline { fill: none; stroke-width: 2; stroke-linejoin: round }
        .legend { display: flex; flex-wrap: wrap; gap: .3rem 1.2rem; margin: .5rem 0; padding: .3rem 0;
          list-style: none; position: sticky; top: 0; background: var(--paper) }
        .legend i { display: inline-block; width: 1.3rem; height: .25rem; margin-right: .45rem;
          vertical-align: middle; background: currentColor } .legend span { color: var(--ink) }
        .wide { overflow-x: auto } table { border-collapse: collapse; font-variant-numeric: tabular-nums }
        th, td { padding: .25rem .7rem; text-align: right; border-bottom: 1px solid var(--rule); white-space: nowrap }
        th:first-child, td:first-child { text-align: left; padding-left: 0 } th { font-weight: 600 }
        table { margin: .5rem 0 1.2rem }
        th[colspan] { text-align: center }
        dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1rem }
        dt { color: var(--dim) } dd { margin: 0; overflow-wrap: anywhere }
        dd span { display: inline-block; max-width: 100% }
        @media (max-width: 34rem) { dl { grid-template-columns: 1fr } dd { margin-bottom: .5rem } }
        """;

    private Page() {
    }

    /** The page about {@code results}, measured on what {@code machine} says. */
    static String of(final Results results, final Map<String, String> machine) {
        final StringBuilder page = new StringBuilder("<!DOCTYPE html>\n"
            + "<html xmlns=\"http://www.w3.org/1999/xhtml\" lang=\"en\"><head><meta charset=\"utf-8\"/>"
            + "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>"
            + "<title>vsock-proxy, end to end</title><style>\n" + STYLE + colours(results) + "</style></head><body>\n"
            + "<h1>vsock-proxy, end to end</h1>\n"
            + "<p>A client and a server on unix sockets: connected directly, or by a pair of processes of each kind "
            + "on one machine. Only figures of one run can be compared.</p>\n");
        page.append(legend(results));
        page.append("<h2>Latency and throughput</h2>\n<p>Round trips by percentile: lower is better, and towards the "
            + "right are the rare ones. A line ends where only one measurement lies beyond. One request is under way "
            + "at a time, so requests that a slow one would delay are not counted. Throughput: higher is better. "
            + "All axes are logarithmic.</p>\n"
            + "<div class=\"charts\">\n");
        for (final int length : EndToEnd.ROUND_TRIP_LENGTHS) {
            figure(page, "Round trips, " + bytes(length) + " each way", roundTrips(results, length));
        }
        figure(page, "Throughput by length of a write", throughput(results));
        page.append("</div>\n<h2>In figures</h2>\n");
        page.append(roundTripTable(results));
        page.append(throughputTable(results));
        page.append("<h2>Measured on</h2>\n<dl>\n");
        machine.forEach((name, value) ->
            page.append("<dt>" + escape(name) + "</dt><dd>" + options(escape(value)) + "</dd>\n"));
        return page.append("</dl>\n</body></html>\n").toString();
    }

    /** A number of bytes, for people. */
    static String bytes(final int length) {
        return length < KIB ? length + " B" : length / KIB + " KiB";
    }

    static String escape(final String text) {
        return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\"", "&quot;");
    }

    /** None of the options in it is broken at a hyphen. */
    private static String options(final String text) {
        return text.replaceAll("(^| )(-\\S+)", "$1<span>$2</span>");
    }

    private static String colours(final Results results) {
        final StringBuilder rules = new StringBuilder();
        for (int i = 0; i < results.ways().size(); i++) {
            final int colour = Way.number(results.ways().get(i));
            rules.append(String.format(".s%d polyline { stroke: var(--c%d) } .s%d circle { fill: var(--c%d) } "
                + "li.s%d { color: var(--c%d) }%n", i, colour, i, colour, i, colour));
        }
        return rules.toString();
    }

    private static String legend(final Results results) {
        final StringBuilder list = new StringBuilder("<ul class=\"legend\">");
        for (int i = 0; i < results.ways().size(); i++) {
            list.append("<li class=\"s" + i + "\"><i></i><span>" + escape(results.ways().get(i)) + "</span></li>");
        }
        return list.append("</ul>\n").toString();
    }

    private static void figure(final StringBuilder page, final String title, final Chart chart) {
        page.append("<figure><h3>" + escape(title) + "</h3>\n" + chart.svg() + "</figure>\n");
    }

    private static Chart roundTrips(final Results results, final int length) {
        final Chart chart = new Chart("Round trips of " + bytes(length), "percentile", "microseconds");
        final double last = PERCENTILES[PERCENTILES.length - 1];
        final double lowest = results.ways().stream()
            .mapToDouble(way -> results.roundTripUs(way, length, 0)).min().orElse(1);
        final double highest = results.ways().stream()
            .mapToDouble(way -> results.roundTripUs(way, length, last)).max().orElse(lowest);
        final double[] range = yAxis(chart, lowest, highest);
        for (final double percentile : PERCENTILES) {
            chart.xTick(rarity(percentile), name(percentile));
        }
        for (int i = 0; i < results.ways().size(); i++) {
            final String way = results.ways().get(i);
            final List<Chart.Point> points = new ArrayList<>();
            final double end = Math.min(last, 100 - 100.0 / results.roundTrips(way, length).getTotalCount());
            for (int step = 0; step <= STEPS; step++) {
                final double percentile = 100 - 100 * Math.pow(1 - end / 100, step / (double) STEPS);
                points.add(new Chart.Point(rarity(percentile),
                    Chart.log(results.roundTripUs(way, length, percentile), range[0], range[1])));
            }
            chart.line(i, way, points, false);
        }
        return chart;
    }

    private static Chart throughput(final Results results) {
        final Chart chart = new Chart("Throughput", "bytes of a write", "MiB/s");
        final List<Integer> lengths = EndToEnd.WRITE_LENGTHS;
        final ToDoubleFunction<Integer> x =
            length -> Chart.log(length, lengths.get(0), lengths.get(lengths.size() - 1));
        final double[] all = results.ways().stream()
            .flatMap(way -> lengths.stream().map(length -> results.throughput(way, length)))
            .mapToDouble(Double::doubleValue).sorted().toArray();
        final double[] range = yAxis(chart, all[0], all[all.length - 1]);
        for (final int length : lengths) {
            chart.xTick(x.applyAsDouble(length), bytes(length));
        }
        for (int i = 0; i < results.ways().size(); i++) {
            final String way = results.ways().get(i);
            final List<Chart.Point> points = lengths.stream()
                .map(length -> new Chart.Point(x.applyAsDouble(length),
                    Chart.log(results.throughput(way, length), range[0], range[1]),
                    String.format(Locale.ROOT, "%s, %s: %,.0f MiB/s", way, bytes(length),
                        results.throughput(way, length))))
                .toList();
            chart.line(i, way, points, true);
        }
        return chart;
    }

    /** Ticks at 1, 2 and 5 times powers of ten around what there is; returns where the axis begins and ends. */
    private static double[] yAxis(final Chart chart, final double lowest, final double highest) {
        final List<Double> ticks = new ArrayList<>();
        for (double power = 0.001; power < highest * 100; power *= 10) {
            for (final int digit : LEADING_DIGITS) {
                ticks.add(power * digit);
            }
        }
        final double from = ticks.stream().filter(tick -> tick <= lowest).reduce((a, b) -> b).orElse(lowest);
        final double to = ticks.stream().filter(tick -> tick >= highest && tick > from).findFirst().orElse(highest);
        ticks.stream().filter(tick -> tick >= from && tick <= to).forEach(tick -> chart.yTick(
            Chart.log(tick, from, to), String.format(Locale.ROOT, tick < 1 ? "%.2g" : "%,.0f", tick)));
        return new double[] {from, to};
    }

    /** Equal steps for each further nine. */
    private static double rarity(final double percentile) {
        return Math.log10(1 - percentile / 100) / Math.log10(1 - PERCENTILES[PERCENTILES.length - 1] / 100);
    }

    private static String roundTripTable(final Results results) {
        final StringBuilder table = new StringBuilder("<div class=\"wide\"><table><tr><th>Round trips, \u00b5s</th>");
        for (final int length : EndToEnd.ROUND_TRIP_LENGTHS) {
            table.append("<th colspan=\"" + (PERCENTILES_IN_TABLE.length + 1) + "\">" + bytes(length) + "</th>");
        }
        table.append("</tr>\n<tr><th></th>");
        for (int i = 0; i < EndToEnd.ROUND_TRIP_LENGTHS.size(); i++) {
            for (final double percentile : PERCENTILES_IN_TABLE) {
                table.append("<th>p" + name(percentile) + "</th>");
            }
            table.append("<th>number</th>");
        }
        table.append("</tr>\n");
        for (final String way : results.ways()) {
            table.append("<tr><td>" + escape(way) + "</td>");
            for (final int length : EndToEnd.ROUND_TRIP_LENGTHS) {
                for (final double percentile : PERCENTILES_IN_TABLE) {
                    table.append(String.format(
                        Locale.ROOT, "<td>%,.1f</td>", results.roundTripUs(way, length, percentile)));
                }
                table.append(String.format(
                    Locale.ROOT, "<td>%,d</td>", results.roundTrips(way, length).getTotalCount()));
            }
            table.append("</tr>\n");
        }
        return table.append("</table></div>\n").toString();
    }

    private static String throughputTable(final Results results) {
        final StringBuilder table = new StringBuilder("<div class=\"wide\"><table><tr><th>Writes, MiB/s</th>");
        for (final int length : EndToEnd.WRITE_LENGTHS) {
            table.append("<th>" + bytes(length) + "</th>");
        }
        table.append("</tr>\n");
        for (final String way : results.ways()) {
            table.append("<tr><td>" + escape(way) + "</td>");
            for (final int length : EndToEnd.WRITE_LENGTHS) {
                table.append(String.format(Locale.ROOT, "<td>%,.0f</td>", results.throughput(way, length)));
            }
            table.append("</tr>\n");
        }
        return table.append("</table></div>\n").toString();
    }

    private static String name(final double percentile) {
        return "%s".formatted(percentile).replaceAll("\\.0$", "");
    }
}
