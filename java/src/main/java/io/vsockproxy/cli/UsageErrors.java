/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.cli;

import java.io.IOException;
import java.math.BigDecimal;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileSystemException;
import java.nio.file.NoSuchFileException;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import picocli.CommandLine;
import picocli.CommandLine.MissingParameterException;
import picocli.CommandLine.Model.ArgSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.UnmatchedArgumentException;

/**
 * Error messages for the user of the command line: they name options rather than the library's properties,
 * suggest likely spellings, and mention no classes.
 */
final class UsageErrors {
    /** In which unit an option takes its value. */
    private enum Unit {
        COUNT, SIZE, TIME, MICROS;

        /** The library's value (a count, bytes or ns) as the option would take it. */
        String format(final long value) {
            return switch (this) {
                case COUNT -> Long.toString(value);
                case SIZE -> size(value);
                case TIME -> BigDecimal.valueOf(value).movePointLeft(9).stripTrailingZeros().toPlainString() + "s";
                case MICROS -> Long.toString(TimeUnit.NANOSECONDS.toMicros(value));
            };
        }

        /** The values that are allowed. */
        String range(final long min, final long max) {
            // Nobody means a nanosecond.
            return this == TIME && min == 1
                ? "more than 0s and at most " + format(max) : format(min) + " to " + format(max);
        }

        private static String size(final long bytes) {
            for (int shift = 30; shift > 0; shift -= 10) {
                if (bytes != 0 && bytes % (1L << shift) == 0) {
                    return (bytes >> shift) + switch (shift) {
                        case 30 -> "G";
                        case 20 -> "M";
                        default -> "K";
                    };
                }
            }
            return Long.toString(bytes);
        }
    }

    private record Setting(String option, Unit unit) { }

    /** What sets a property of the library, by the property's name, with which the library's messages begin. */
    private static final Map<String, Setting> SETTINGS = Map.ofEntries(
        Map.entry("address", new Setting("--listen", Unit.COUNT)),
        Map.entry("maxFrameLength", new Setting("--max-frame", Unit.SIZE)),
        Map.entry("maxHandles", new Setting("--max-handles", Unit.COUNT)),
        Map.entry("maxPendingConnects", new Setting("--max-connects", Unit.COUNT)),
        Map.entry("maxPendingFileRequests", new Setting("--max-file-requests", Unit.COUNT)),
        Map.entry("maxDescriptorsInFlight", new Setting("--max-descriptors-in-flight", Unit.COUNT)),
        Map.entry("maxStreamQueueLength", new Setting("--stream-queue", Unit.SIZE)),
        Map.entry("maxSessionQueueLength", new Setting("--session-queue", Unit.SIZE)),
        Map.entry("stallTimeoutNs", new Setting("--stall-timeout", Unit.TIME)),
        Map.entry("lingerTimeoutNs", new Setting("--linger-timeout", Unit.TIME)),
        Map.entry("connectTimeoutNs", new Setting("--connect-timeout", Unit.TIME)),
        Map.entry("linkTimeoutNs", new Setting("--link-timeout", Unit.TIME)),
        Map.entry("heartbeatIntervalNs", new Setting("--heartbeat", Unit.TIME)),
        Map.entry("windowLength", new Setting("--window", Unit.SIZE)),
        Map.entry("maxWindowLength", new Setting("--max-window", Unit.SIZE)),
        Map.entry("allowConnect", new Setting("--allow-connect", Unit.COUNT)),
        Map.entry("guests", new Setting("--allow-cid or --guests", Unit.COUNT)),
        Map.entry("forward", new Setting("--forward", Unit.COUNT)),
        Map.entry("descriptorSocket", new Setting("--descriptor-socket", Unit.COUNT)),
        Map.entry("filesDirectory", new Setting("--files", Unit.COUNT)),
        Map.entry("spinLimitNs", new Setting("--spin", Unit.MICROS)),
        Map.entry("drainTimeoutNs", new Setting("--drain-timeout", Unit.TIME)),
        Map.entry("vsockBufferLength", new Setting("--vsock-buffer", Unit.SIZE)));

    private static final Pattern OUT_OF_RANGE = Pattern.compile("(\\w+)=(-?\\d+)(?:, min=(\\d+))?(?:, max=(\\d+))?");
    private static final Pattern BOTH = Pattern.compile("(\\w+)=(.*) and (\\w+)=(.* both listen on .*)");
    private static final Pattern ABOUT = Pattern.compile("(\\w+)(?:=|(?=: ))(.*)", Pattern.DOTALL);

    /** The message when a command is missing. */
    static final String COMMANDS = "expected host, guest, stat or info";

    private static final int MAX_SUGGESTIONS = 3;

    private UsageErrors() {
    }

    /** The message of an exception about a value, in the terms of the option that set it. */
    static String withOption(final String message) {
        final Matcher range = OUT_OF_RANGE.matcher(message);
        if (range.matches() && SETTINGS.containsKey(range.group(1))) {
            return outOfRange(
                SETTINGS.get(range.group(1)), Long.parseLong(range.group(2)), range.group(3), range.group(4));
        }
        final Matcher both = BOTH.matcher(message);
        if (both.matches() && SETTINGS.containsKey(both.group(1)) && SETTINGS.containsKey(both.group(3))) {
            return SETTINGS.get(both.group(1)).option + " " + both.group(2) + " and "
                + SETTINGS.get(both.group(3)).option + " " + both.group(4);
        }
        final Matcher about = ABOUT.matcher(message);
        if (about.matches() && SETTINGS.containsKey(about.group(1))) {
            return SETTINGS.get(about.group(1)).option + (about.group(2).startsWith(":") ? "" : " ") + about.group(2);
        }
        return message;
    }

    private static String outOfRange(final Setting setting, final long value, final String min, final String max) {
        final Unit unit = setting.unit;
        final String allowed;
        if (min == null) {
            allowed = "at most " + unit.format(Long.parseLong(max));
        } else if (max == null) {
            allowed = "at least " + unit.format(Long.parseLong(min));
        } else {
            allowed = unit.range(Long.parseLong(min), Long.parseLong(max));
        }
        return setting.option + " " + unit.format(value) + ": must be " + allowed;
    }

    /**
     * What {@code parsing} returns.
     *
     * @throws IllegalArgumentException as it does, with {@code option} in front of the message.
     */
    static <T> T about(final String option, final Supplier<T> parsing) {
        try {
            return parsing.get();
        } catch (final IllegalArgumentException e) {
            throw new IllegalArgumentException(option + ": " + e.getMessage(), e);
        }
    }

    /** The message of an exception about the command line, with suggestions of what may have been meant. */
    static String withSuggestions(final ParameterException problem) {
        final CommandLine command = problem.getCommandLine();
        if (problem instanceof MissingParameterException missing && !command.getUnmatchedArguments().isEmpty()) {
            return withMissing(
                new UnmatchedArgumentException(command, command.getUnmatchedArguments()), missing.getMissing());
        }
        if (problem instanceof UnmatchedArgumentException unmatched) {
            if (!unmatched.isUnknownOption() && !command.getSubcommands().isEmpty()) {
                return problem.getMessage() + "; " + COMMANDS;
            }
            final List<String> suggestions = unmatched.getSuggestions();
            if (!suggestions.isEmpty()) {
                return problem.getMessage() + "; did you mean "
                    + String.join(" or ", suggestions.subList(0, Math.min(MAX_SUGGESTIONS, suggestions.size()))) + "?";
            }
        }
        return problem.getMessage();
    }

    /** The message about an option that nobody knows while another is missing: probably the same one, misspelt. */
    private static String withMissing(final UnmatchedArgumentException unmatched, final List<ArgSpec> missing) {
        for (final ArgSpec argument : missing) {
            if (argument instanceof OptionSpec option && unmatched.getSuggestions().contains(option.longestName())) {
                return unmatched.getMessage() + "; did you mean " + option.longestName() + "?";
            }
        }
        return withSuggestions(unmatched);
    }

    /** Why a file cannot be read. */
    static String reason(final IOException problem) {
        if (problem instanceof NoSuchFileException) {
            return "no such file";
        }
        if (problem instanceof AccessDeniedException) {
            return "permission denied";
        }
        final String reason = problem instanceof FileSystemException failed ? failed.getReason() : problem.getMessage();
        return reason == null ? problem.toString() : reason;
    }
}
