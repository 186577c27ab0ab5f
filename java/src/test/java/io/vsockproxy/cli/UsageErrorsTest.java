/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import picocli.CommandLine;

/**
 * The messages for wrong command lines.
 */
class UsageErrorsTest {
    @ParameterizedTest
    @CsvSource({
        "--max-frame, 10",
        "--max-handles, 0",
        "--max-connects, 0",
        "--max-file-requests, 0",
        "--max-descriptors-in-flight, 0",
        "--stream-queue, 0",
        "--session-queue, 999999999999G",
        "--stall-timeout, 0",
        "--linger-timeout, 999999999m",
        "--connect-timeout, 0",
        "--link-timeout, 999999999s",
        "--heartbeat, 999999999s",
        "--window, 0",
        "--max-window, 1K",
        "--spin, -1",
        "--drain-timeout, 999999999",
        "--vsock-buffer, 1K",
    })
    void shouldNameTheOptionWhoseValueIsOutOfRange(final String option, final String value) {
        final String line = complaint("guest", "--connect", "unix:/nowhere/at/all", option, value);
        assertTrue(line.matches("vsock-proxy guest: " + option + ": \\w+=.* \\(see --help\\)"), line);
    }

    @ParameterizedTest
    @CsvSource({
        "hst, expected host",
        "host --listen unix:/x --alow-connect /y, did you mean --allow-connect",
        "guest --connect unix:/x --forwards /a=/b, did you mean --forward",
    })
    void shouldSuggestWhatMayHaveBeenMeant(final String arguments, final String suggestion) {
        final String line = complaint(arguments.split(" ", -1));
        assertTrue(line.contains(suggestion), line);
    }

    @Test
    void shouldSayWhyThereIsNothingToShow() {
        final String missing = complaint(1, "stat", "/nowhere/at/all");
        assertEquals("vsock-proxy stat: /nowhere/at/all: no such file", missing);
        final String directory = complaint(1, "stat", "/proc");
        assertTrue(directory.startsWith("vsock-proxy stat: /proc: "), directory);
        assertFalse(directory.contains("Exception"), directory);
    }

    @Test
    void shouldRefuseAnOptionThatIsAboutNothing() {
        final String line = complaint("guest", "--connect", "unix:/nowhere/at/all", "--allow-other");
        assertTrue(line.contains("--files, which is not given"), line);
    }

    @Test
    void shouldSayWhyTheListOfGuestsCannotBeRead() {
        final String line = complaint("host", "--listen", "vsock:9900", "--guests", Path.of("/nowhere").toString());
        assertTrue(line.contains("guest file /nowhere cannot be read: no such file"), line);
    }

    private static String complaint(final String... arguments) {
        return complaint(2, arguments);
    }

    /** The one line on standard error. */
    private static String complaint(final int expectedStatus, final String... arguments) {
        final StringWriter errors = new StringWriter();
        final CommandLine command = Main.commandLine().setErr(new PrintWriter(errors, true));
        assertEquals(expectedStatus, command.execute(arguments), errors::toString);
        final List<String> lines = errors.toString().lines().toList();
        assertEquals(1, lines.size(), errors::toString);
        return lines.get(0);
    }
}
