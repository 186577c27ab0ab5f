/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.endtoend;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.vsockproxy.demo.Screen;
import java.io.StringReader;
import java.nio.file.Path;
import java.util.Set;
import java.util.TreeSet;
import javax.xml.parsers.DocumentBuilderFactory;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.w3c.dom.Document;
import org.w3c.dom.Element;
import org.w3c.dom.NodeList;
import org.xml.sax.InputSource;

class EndToEndTest {
    private static final int TIMEOUT_S = 120;

    @Test
    @Timeout(value = TIMEOUT_S, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
    void shouldWriteAWellFormedPageWithALineForEachWayInEachChart(@TempDir final Path directory) throws Exception {
        final EndToEnd.Pace pace = new EndToEnd.Pace(1, 20, 50);
        final Results results = EndToEnd.measure(
            Path.of(System.getProperty("vsockproxy.launcher")), directory, pace, new Screen(System.out, false));
        final DocumentBuilderFactory factory = DocumentBuilderFactory.newInstance();
        factory.setNamespaceAware(true);
        final Document page = factory.newDocumentBuilder().parse(
            new InputSource(new StringReader(Page.of(results, Machine.describe(pace, results.proxyFlags())))));

        final NodeList charts = page.getElementsByTagName("svg");
        assertEquals(EndToEnd.ROUND_TRIP_LENGTHS.size() + 1, charts.getLength());
        assertTrue(results.ways().containsAll(Set.of("direct", "vsock-proxy")), results.ways().toString());
        for (int i = 0; i < charts.getLength(); i++) {
            final Set<String> series = new TreeSet<>();
            final NodeList groups = ((Element) charts.item(i)).getElementsByTagName("g");
            for (int group = 0; group < groups.getLength(); group++) {
                series.add(((Element) groups.item(group)).getAttribute("data-series"));
            }
            assertEquals(new TreeSet<>(Way.available()), series);
        }
        final NodeList lines = page.getElementsByTagName("polyline");
        for (int i = 0; i < lines.getLength(); i++) {
            final String points = ((Element) lines.item(i)).getAttribute("points");
            assertTrue(points.matches("([0-9.]+,[0-9.]+ ?)+"), points);
        }
    }
}
