/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.cli;

import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileSystemException;
import java.nio.file.NoSuchFileException;
import java.util.List;
import java.util.Map;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.UnmatchedArgumentException;

/**
 * Error messages for the user of the command line: they name options rather than the library's properties,
 * suggest likely spellings, and mention no classes.
 */
final class UsageErrors {
    /** The option that sets a property, by the property's name, with which the library's messages begin. */
    private static final Map<String, String> OPTIONS = Map.ofEntries(
        Map.entry("maxFrameLength", "--max-frame"),
        Map.entry("maxHandles", "--max-handles"),
        Map.entry("maxPendingConnects", "--max-connects"),
        Map.entry("maxPendingFileRequests", "--max-file-requests"),
        Map.entry("maxDescriptorsInFlight", "--max-descriptors-in-flight"),
        Map.entry("maxStreamQueueLength", "--stream-queue"),
        Map.entry("maxSessionQueueLength", "--session-queue"),
        Map.entry("stallTimeoutNs", "--stall-timeout"),
        Map.entry("lingerTimeoutNs", "--linger-timeout"),
        Map.entry("connectTimeoutNs", "--connect-timeout"),
        Map.entry("linkTimeoutNs", "--link-timeout"),
        Map.entry("heartbeatIntervalNs", "--heartbeat"),
        Map.entry("windowLength", "--window"),
        Map.entry("maxWindowLength", "--max-window"),
        Map.entry("allowConnect", "--allow-connect"),
        Map.entry("filesDirectory", "--files"),
        Map.entry("spinLimitNs", "--spin"),
        Map.entry("drainTimeoutNs", "--drain-timeout"),
        Map.entry("vsockBufferLength", "--vsock-buffer"));

    /** The message when a command is missing. */
    static final String COMMANDS = "expected host, guest, stat or info";

    private static final int MAX_SUGGESTIONS = 3;

    private UsageErrors() {
    }

    /** The message of an exception about a value, with the option that set it in front. */
    static String withOption(final String message) {
        final String option = OPTIONS.get(message.substring(0, Math.max(0, message.indexOf('='))));
        return option == null ? message : option + ": " + message;
    }

    /** The message of an exception about the command line, with suggestions of what may have been meant. */
    static String withSuggestions(final ParameterException problem) {
        if (problem instanceof UnmatchedArgumentException unmatched) {
            if (!unmatched.isUnknownOption() && !problem.getCommandLine().getSubcommands().isEmpty()) {
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
