/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeSet;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/**
 * What docs/architecture.md says about the packages: they exist, and each uses only those below it.
 */
class PackagesTest {
    private static final Path DOCUMENT = Path.of("..", "docs", "architecture.md");
    private static final Path SOURCES = Path.of("src", "main", "java", "io", "vsockproxy");
    private static final String ROOT = "";
    private static final Pattern ROW = Pattern.compile(
        "^\\| (?:`(\\w+)`|\\*\\(root\\)\\* `io\\.vsockproxy`) \\| .* \\|$", Pattern.MULTILINE);
    private static final Pattern USE = Pattern.compile("\\bio\\.vsockproxy\\.(?:([a-z]+)\\.)?[A-Z]");

    @Test
    void shouldKnowOnlyThoseBelow() throws IOException {
        final List<String> order = documented();
        final List<String> violations = new ArrayList<>();
        for (final Path file : sources()) {
            final String owner = packageOf(file);
            // Comments may name classes that the code does not use.
            final String code = Files.readString(file).replaceAll("(?s)/\\*.*?\\*/", "");
            USE.matcher(code).results().map(PackagesTest::name)
                .filter(used -> order.indexOf(used) < order.indexOf(owner))
                .forEach(used -> violations.add(file + " knows '" + used + "'"));
        }
        assertEquals(List.of(), violations);
    }

    @Test
    void shouldAllBeDocumented() throws IOException {
        final TreeSet<String> existing = new TreeSet<>();
        for (final Path file : sources()) {
            existing.add(packageOf(file));
        }
        assertEquals(existing, new TreeSet<>(documented()));
    }

    /** The table's first column, from the top down. */
    private static List<String> documented() throws IOException {
        final String text = Files.readString(DOCUMENT);
        final String section = text.substring(text.indexOf("## The packages"), text.indexOf("The public API is"));
        return ROW.matcher(section).results().map(PackagesTest::name).toList();
    }

    private static String name(final MatchResult match) {
        return match.group(1) == null ? ROOT : match.group(1);
    }

    private static List<Path> sources() throws IOException {
        try (Stream<Path> files = Files.walk(SOURCES)) {
            return files.filter(file -> file.toString().endsWith(".java")).toList();
        }
    }

    private static String packageOf(final Path file) {
        return SOURCES.relativize(file.getParent()).toString();
    }
}
