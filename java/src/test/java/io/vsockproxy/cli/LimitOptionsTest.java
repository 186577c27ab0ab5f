/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.vsockproxy.config.Extensions;
import io.vsockproxy.config.SessionLimits;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.ParameterException;

class LimitOptionsTest {
    private static final Pattern DEFAULT = Pattern.compile("Default: (\\w+)\\.");

    @Test
    void shouldHaveTheLibrarysDefaults() {
        final LimitOptions options = parse();
        assertEquals(SessionLimits.DEFAULTS, options.sessionLimits());
        assertEquals(Extensions.DEFAULTS, options.extensions(true));
        assertEquals(Extensions.OFF, options.extensions(false));
    }

    @Test
    void shouldSayInItsHelpWhatTheDefaultsAre() {
        final List<OptionSpec> options = new CommandLine(new Holder()).getCommandSpec().options();
        assertEquals(14, options.size());
        for (final OptionSpec option : options) {
            final Matcher said = DEFAULT.matcher(option.description()[0]);
            assertTrue(said.find(), option::longestName);
            final Holder holder = new Holder();
            final CommandLine command = new CommandLine(holder);
            command.parseArgs(option.longestName(), said.group(1));
            assertEquals(SessionLimits.DEFAULTS, holder.limits.sessionLimits(), option::longestName);
            assertEquals(Extensions.DEFAULTS, holder.limits.extensions(true), option::longestName);
        }
    }

    @Test
    void shouldSetEach() {
        final LimitOptions options = parse(
            "--max-frame", "2M", "--max-handles", "7", "--max-connects", "8", "--max-file-requests", "9",
            "--max-descriptors-in-flight", "10", "--stream-queue", "11K", "--session-queue", "12G",
            "--stall-timeout", "1.5s", "--linger-timeout", "2m", "--connect-timeout", "250ms",
            "--link-timeout", "0", "--heartbeat", "3", "--window", "13", "--max-window", "14");
        final SessionLimits defaults = SessionLimits.DEFAULTS;
        assertEquals(
            new SessionLimits(
                2 << 20, 7, defaults.maxDescriptorsPerFrame(), 8, 9, defaults.maxPendingFileWriteLength(),
                defaults.maxFileReadLength(), 11 << 10, 12L << 30, 10, 1_500_000_000L, TimeUnit.MINUTES.toNanos(2),
                250_000_000L, defaults.inboundWindowLength(), defaults.outboundLength(), defaults.readLength()),
            options.sessionLimits());
        assertEquals(new Extensions(true, 13, 14, 3_000_000_000L, 0), options.extensions(true));
    }

    @Test
    void shouldRaiseTheLargestWindowToTheFirst() {
        assertEquals(16 << 20, parse("--window", "16M").extensions(true).maxWindowLength());
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "-1", "1.5M", "4X", "M", "4 M", "99999999999999"})
    void shouldRefuseWhatIsNoSize(final String value) {
        assertThrows(ParameterException.class, () -> parse("--stream-queue", value));
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "-1", "1h", "s", "1 s", "1e3"})
    void shouldRefuseWhatIsNoTime(final String value) {
        assertThrows(ParameterException.class, () -> parse("--stall-timeout", value));
    }

    @ParameterizedTest
    @CsvSource({
        "--max-frame, 10, maxFrameLength=10",
        "--max-frame, 2G, maxFrameLength=2147483648",
        "--max-handles, 0, maxHandles=0",
        "--max-connects, 0, maxPendingConnects=0",
        "--max-file-requests, 0, maxPendingFileRequests=0",
        "--max-descriptors-in-flight, 0, maxDescriptorsInFlight=0",
        "--stream-queue, 0, maxStreamQueueLength=0",
        "--session-queue, 0, maxSessionQueueLength=0",
        "--stall-timeout, 0, stallTimeoutNs=0",
        "--linger-timeout, 0, lingerTimeoutNs=0",
        "--connect-timeout, 0, connectTimeoutNs=0",
        "--connect-timeout, 999999999m, connectTimeoutNs=",
        "--link-timeout, 999999999s, linkTimeoutNs=",
        "--heartbeat, 999999999s, heartbeatIntervalNs=",
        "--window, 0, windowLength=0",
        "--max-window, 2G, maxWindowLength=2147483648",
    })
    void shouldSayWhatIsOutOfRange(final String option, final String value, final String message) {
        final LimitOptions options = parse(option, value);
        final IllegalArgumentException problem = assertThrows(IllegalArgumentException.class, () -> {
            options.sessionLimits();
            options.extensions(true);
        });
        assertTrue(problem.getMessage().startsWith(message), problem::getMessage);
    }

    private static LimitOptions parse(final String... arguments) {
        final Holder holder = new Holder();
        new CommandLine(holder).parseArgs(arguments);
        return holder.limits;
    }

    @Command
    private static final class Holder {
        @CommandLine.ArgGroup(validate = false)
        private LimitOptions limits = new LimitOptions();
    }
}
