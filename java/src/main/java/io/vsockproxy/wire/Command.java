/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.wire;

import java.util.List;

/**
 * The commands, by the field number that each has in {@code VSockMessage}.
 */
public final class Command {
    /** A message with no command that this version knows. */
    public static final int NONE = 0;
    public static final int CLOSE = 1;
    public static final int DATA = 2;
    public static final int CONNECT_REQUEST = 3;
    public static final int CONNECT_RESPONSE = 4;
    public static final int PREAD_REQUEST = 5;
    public static final int PREAD_RESPONSE = 6;
    public static final int PWRITE_REQUEST = 7;
    public static final int PWRITE_RESPONSE = 8;
    public static final int FSTAT_REQUEST = 9;
    public static final int FSTAT_RESPONSE = 10;
    public static final int FTRUNCATE_REQUEST = 11;
    public static final int FTRUNCATE_RESPONSE = 12;

    private static final List<String> NAMES = List.of(
        "NONE", "CLOSE", "DATA", "CONNECT_REQUEST", "CONNECT_RESPONSE", "PREAD_REQUEST", "PREAD_RESPONSE",
        "PWRITE_REQUEST", "PWRITE_RESPONSE", "FSTAT_REQUEST", "FSTAT_RESPONSE", "FTRUNCATE_REQUEST",
        "FTRUNCATE_RESPONSE");

    private Command() {
    }

    /** The name of a command, for a log line: {@code DATA}, or {@code command 99} for one not listed. */
    public static String name(final int command) {
        return command >= 0 && command < NAMES.size() ? NAMES.get(command) : "command " + command;
    }
}
