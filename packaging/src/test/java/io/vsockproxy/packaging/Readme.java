/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.packaging;

import java.io.IOException;
import java.nio.file.Files;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;

/**
 * The readme's indented blocks, which readers would copy.
 */
final class Readme {
    /** Indented lines, with empty ones between them. */
    private static final Pattern BLOCK = Pattern.compile("(?m)(^ {4}.*\\n)(^\\n(?= {4})|^ {4}.*\\n)*");

    private Readme() {
    }

    /** The first block under "From Java" that starts with {@code start}, without its indentation. */
    static String block(final String start) throws IOException {
        final String text = Files.readString(Published.CHECKOUT.resolve("README.md"));
        return BLOCK.matcher(text.substring(text.indexOf("\n## From Java"))).results()
            .map(MatchResult::group)
            .map(block -> block.replaceAll("(?m)^ {4}", ""))
            .filter(block -> block.startsWith(start))
            .findFirst()
            .orElseThrow(() -> new IllegalStateException("no block in the readme starts with " + start));
    }
}
