/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.packaging;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/**
 * Every source file names its copyright holder and licence. (In Java files, Checkstyle checks the exact form.)
 */
class LicenceHeaderTest {
    private static final int HEADER_LINES = 8;
    private static final int MIN_FILES = 100;
    private static final Set<String> NOT_OURS = Set.of("target", ".git", ".mvn");
    private static final Pattern SOURCES = Pattern.compile(
        ".*\\.(java|c|h|map|cmake|xml|proto|sh|py|bpf|service|socket)|.*/CMakeLists\\.txt|.*/(bin|\\.ci)/[a-z-]+");

    @Test
    void shouldHaveTheLicenceHeaderInEverySourceFile() throws IOException {
        final List<Path> sources = new ArrayList<>();
        Files.walkFileTree(Published.CHECKOUT, new SimpleFileVisitor<>() {
            @Override
            public FileVisitResult preVisitDirectory(final Path directory, final BasicFileAttributes attributes) {
                final boolean skip = NOT_OURS.contains(directory.getFileName().toString());
                return skip ? FileVisitResult.SKIP_SUBTREE : FileVisitResult.CONTINUE;
            }

            @Override
            public FileVisitResult visitFile(final Path file, final BasicFileAttributes attributes) {
                if (attributes.isRegularFile() && SOURCES.matcher(file.toString()).matches()) {
                    sources.add(file);
                }
                return FileVisitResult.CONTINUE;
            }
        });
        assertTrue(sources.size() >= MIN_FILES, () -> "files found: " + sources.size());
        final List<Path> without = new ArrayList<>();
        for (final Path source : sources) {
            if (!hasHeader(source)) {
                without.add(Published.CHECKOUT.relativize(source));
            }
        }
        assertEquals(List.of(), without);
    }

    private static boolean hasHeader(final Path file) throws IOException {
        try (Stream<String> lines = Files.lines(file)) {
            final String header = String.join("\n", lines.limit(HEADER_LINES).toList());
            return header.contains("Copyright 2026 The vsock-proxy authors.")
                && header.contains("SPDX-License-Identifier: Apache-2.0");
        }
    }
}
