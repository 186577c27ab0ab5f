/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.fuse;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/**
 * Tells whether a thread that was sent a signal is going to die of it.
 *
 * <p>FUSE reports any signal sent to whoever waits for an answer, including one with a handler, after which the program
 * goes on, and stopping and continuing. A read of a file on a disk never ends because of those, so no program expects
 * it. FUSE does not report which signal it was, but /proc shows it (proc_pid_status(5)).
 */
final class DeadlySignals {
    /** Bit n - 1 is signal n. */
    private static final long KILL = bit(9);
    /** Signals that do not kill even without a handler: CHLD, CONT, STOP, TSTP, TTIN, TTOU, URG, WINCH. */
    private static final long HARMLESS =
        bit(17) | bit(18) | bit(19) | bit(20) | bit(21) | bit(22) | bit(23) | bit(28);
    private static final int HEXADECIMAL = 16;
    private static final int INIT = 1;

    private DeadlySignals() {
    }

    /**
     * Whether the thread has a pending signal that kills it. Any thread; does not block.
     *
     * @param taskId id of the thread in this process's PID namespace; 0 when it is not in there.
     * @return true also when the thread does not exist or is hidden from this process.
     */
    static boolean arePendingFor(final int taskId) {
        if (taskId <= 0) {
            return true;
        }
        try {
            return arePendingIn(Files.readAllLines(statusOf(taskId), StandardCharsets.ISO_8859_1));
        } catch (final IOException | UncheckedIOException e) {
            return true;
        }
    }

    /**
     * Whether threads of other users can be judged too: not where /proc hides them from this process (hidepid in
     * proc(5)). Process 1 is taken as an example.
     */
    static boolean areVisible() {
        try {
            return !Files.readAllLines(statusOf(INIT), StandardCharsets.ISO_8859_1).isEmpty();
        } catch (final IOException | UncheckedIOException e) {
            return false;
        }
    }

    /** As {@link #arePendingFor}, from the lines of a thread's status file. */
    static boolean arePendingIn(final List<String> status) {
        long pending = 0;
        long survived = HARMLESS;
        for (final String line : status) {
            final int colon = line.indexOf(':');
            switch (colon < 0 ? "" : line.substring(0, colon)) {
                case "SigPnd", "ShdPnd" -> pending |= mask(line, colon);
                case "SigBlk", "SigIgn", "SigCgt" -> survived |= mask(line, colon);
                default -> {
                    // Not about signals.
                }
            }
        }
        // A signal that ends the whole process reaches each thread as SIGKILL (complete_signal in the kernel's
        // kernel/signal.c).
        return (pending & (KILL | ~survived)) != 0;
    }

    private static Path statusOf(final int taskId) {
        return Path.of("/proc/" + taskId + "/status");
    }

    private static long mask(final String line, final int colon) {
        return Long.parseUnsignedLong(line.substring(colon + 1).trim(), HEXADECIMAL);
    }

    private static long bit(final int signal) {
        return 1L << (signal - 1);
    }
}
