/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.cli;

import io.vsockproxy.LinkAddress;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * The file that {@code --guests} names: which guests may connect, and what each may connect to.
 *
 * <pre>
 *   # Each line: a CID, alone or with one unix socket that this guest may connect to.
 *   42 /run/display.sock
 *   42 /run/sound.sock
 *   43
 * </pre>
 */
final class GuestFile {
    private GuestFile() {
    }

    /**
     * Adds the guests in the file to {@code pathsByCid}.
     *
     * @throws IllegalArgumentException when the file cannot be read or a line is wrong; the message says why, or names
     *                                  the line.
     */
    static void read(final Path file, final Map<Integer, List<String>> pathsByCid) {
        final List<String> lines;
        try {
            lines = Files.readAllLines(file);
        } catch (final IOException e) {
            throw new IllegalArgumentException("guest file " + file + " cannot be read: " + UsageErrors.reason(e), e);
        }
        for (int i = 0; i < lines.size(); i++) {
            final String line = lines.get(i).strip();
            if (line.isEmpty() || line.startsWith("#")) {
                continue;
            }
            try {
                add(line, pathsByCid);
            } catch (final IllegalArgumentException e) {
                throw new IllegalArgumentException(
                    "guest file " + file + ", line " + (i + 1) + ": " + e.getMessage(), e);
            }
        }
    }

    private static void add(final String line, final Map<Integer, List<String>> pathsByCid) {
        // The path is the whole rest of the line: it may contain spaces.
        final String[] words = line.split("\\s+", 2);
        final List<String> paths =
            pathsByCid.computeIfAbsent(LinkAddress.guestCid(words[0]), cid -> new ArrayList<>());
        if (words.length == 2) {
            if (!words[1].startsWith("/") && !words[1].startsWith("@")) {
                throw new IllegalArgumentException("'" + words[1] + "' is neither an absolute path nor an @NAME");
            }
            paths.add(words[1]);
        }
    }
}
