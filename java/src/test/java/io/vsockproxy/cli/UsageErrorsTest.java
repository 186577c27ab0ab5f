/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import picocli.CommandLine;

/**
 * The messages for wrong command lines.
 */
// On a thread of its own, since a proxy that starts, instead of complaining, does not heed an interrupt.
@Timeout(value = 60, unit = TimeUnit.SECONDS, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class UsageErrorsTest {
    /** In the option's own unit, and without the name that the library has for it. */
    @ParameterizedTest
    @CsvSource(delimiter = '|', value = {
        "--max-frame | 1M | 1M: must be at least 1048640",
        "--max-frame | 2G | 2G: must be at most 2147483647",
        "--max-handles | 0 | 0: must be 1 to ",
        "--max-connects | 0 | 0: must be 1 to ",
        "--max-file-requests | 0 | 0: must be 1 to ",
        "--max-descriptors-in-flight | 0 | 0: must be 1 to ",
        "--stream-queue | 0 | 0: must be 1 to 1G",
        "--session-queue | 2048G | 2048G: must be 1 to 1024G",
        "--stall-timeout | 0 | 0s: must be more than 0s and at most ",
        "--linger-timeout | 999999999m | ",
        "--connect-timeout | 0 | 0s: must be more than 0s and at most ",
        "--link-timeout | 999999999s | 999999999s: must be 0s to ",
        "--heartbeat | 999999999s | 999999999s: must be 0s to ",
        "--window | 0 | 0: must be 1 to 1G",
        "--max-window | 1K | 1K: must be 256K to 1G",
        "--spin | -1 | -1: must be 0 to 1000000",
        "--drain-timeout | 999999999.5 | 999999999.5s: must be 0s to ",
        "--vsock-buffer | 1K | 1K: must be 64K to 1G",
    })
    void shouldNameTheOptionWhoseValueIsOutOfRange(final String option, final String value, final String problem) {
        final String line = complaint("guest", "--connect", "unix:/nowhere/at/all", option, value);
        assertTrue(
            line.startsWith("vsock-proxy guest: " + option + " " + (problem == null ? "" : problem)), line);
        assertTrue(line.matches(".*: must be [a-z0-9A-Z ]* \\(see --help\\)"), line);
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', value = {
        "host --listen unix:PATH | --listen",
        "guest --connect unix:PATH | --connect",
        "host --listen unix:/no/x --forward PATH=/y | --forward",
        "host --listen unix:/no/x --forward /no/y=PATH | --forward",
        "host --listen unix:/no/x --allow-connect PATH | --allow-connect",
        "host --listen unix:/no/x --descriptor-socket PATH | --descriptor-socket",
    })
    void shouldNameTheOptionWhosePathIsTooLong(final String arguments, final String option) {
        final String path = "/" + "x".repeat(107);
        final String line = complaint(arguments.replace("PATH", path).split(" ", -1));
        assertTrue(line.contains(": " + option + ": unix socket path '" + path + "' has 108 bytes"), line);
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', value = {
        "host --listen unix:/no/x --forward /no/y=/a --forward /no/y=/b "
            + "| --forward /no/y=/a and --forward /no/y=/b both listen on /no/y",
        "guest --connect unix:/no/x --forward /no/y=/a --forward /no/y=/a "
            + "| --forward /no/y=/a and --forward /no/y=/a both listen on /no/y",
        "host --listen unix:/no/x --forward /no/x=/a | --listen unix:/no/x and --forward /no/x=/a both listen on /no/x",
        "host --listen unix:/no/x --descriptor-socket /no/x "
            + "| --listen unix:/no/x and --descriptor-socket /no/x both listen on /no/x",
        "host --listen unix:/no/x --descriptor-socket @d --forward @d=/a "
            + "| --descriptor-socket @d and --forward @d=/a both listen on @d",
    })
    void shouldNameTwoOptionsThatListenOnTheSamePath(final String arguments, final String problem) {
        assertEquals(
            "vsock-proxy " + arguments.substring(0, arguments.indexOf(' ')) + ": " + problem + " (see --help)",
            complaint(arguments.split(" ", -1)));
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', value = {
        "host --listen unix:/no/x --allow-connect rel/path | --allow-connect rel/path: neither an absolute path nor",
        "host --listen unix:/no/x --files= | --files: the path is empty",
        "host --listen unix:/no/x --allow-cid 42 | --allow-cid or --guests: only a host on a vsock address",
        "host --listen unix:/no/x --forward /no/y=42:/z | --forward /no/y=42:/z: only a host on a vsock address",
        "host --listen nonsense | --listen: address 'nonsense' is neither",
        "host --listen unix:/no/x --forward /no/y | --forward: forward '/no/y' is neither LOCAL=REMOTE nor",
    })
    void shouldNotUseTheLibrarysNames(final String arguments, final String problem) {
        final String line = complaint(arguments.split(" ", -1));
        assertTrue(line.startsWith("vsock-proxy host: " + problem), line);
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', value = {
        "--counters DIRECTORY/missing/x | counters cannot be kept in DIRECTORY/missing/x: no such directory",
        "--counters DIRECTORY | counters cannot be kept in DIRECTORY: it is not a regular file",
        "--counters DIRECTORY/file | counters cannot be kept in DIRECTORY/file: it exists and does not hold counters",
        "--files DIRECTORY/file | cannot mount on DIRECTORY/file: DIRECTORY/file is not a directory",
        "--files DIRECTORY/file/x | cannot mount on DIRECTORY/file/x: DIRECTORY/file is not a directory",
    })
    void shouldSayInPlainWordsWhatCannotBeUsed(
        final String arguments, final String problem, @TempDir final Path directory) throws IOException {
        Files.writeString(directory.resolve("file"), "precious");
        final String line = complaint(
            1, ("host --listen unix:" + directory + "/missing/link " + arguments)
                .replace("DIRECTORY", directory.toString()).split(" ", -1));
        assertEquals("vsock-proxy host: " + problem.replace("DIRECTORY", directory.toString()), line);
        assertEquals("precious", Files.readString(directory.resolve("file")));
    }

    @ParameterizedTest
    @CsvSource({
        "hst, expected host",
        "host --listen unix:/no/x --alow-connect /y, did you mean --allow-connect",
        "guest --connect unix:/no/x --forwards /a=/b, did you mean --forward",
        "host --listn unix:/no/x, 'Unknown options: ''--listn'', ''unix:/no/x''; did you mean --listen'",
        "guest --connct=unix:/no/x, 'Unknown option: ''--connct=unix:/no/x''; did you mean --connect'",
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
