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
 * Whether a thread that was sent a signal is going to die of it.
 *
 * <p>The kernel tells of any signal that came for whoever waits for an answer: also of one that has a handler, after
 * which a program goes on, and of being stopped and continued. No read of a file on a disk ends for those, so nothing
 * is written to expect it. Which signal it was is not told, but shows in /proc (proc_pid_status(5)).
 */
final class DeadlySignals {
    /** Bit n - 1 is signal n. */
    private static final long KILL = bit(9);
    /** What has no handler does nothing, or stops, or continues: CHLD, CONT, STOP, TSTP, TTIN, TTOU, URG, WINCH. */
    private static final long HARMLESS =
        bit(17) | bit(18) | bit(19) | bit(20) | bit(21) | bit(22) | bit(23) | bit(28);
    private static final int HEXADECIMAL = 16;

    private DeadlySignals() {
    }

    /**
     * Asks. Any thread; does not wait.
     *
     * @param taskId of the thread, as this process sees it; 0 when it does not.
     * @return true also for one that is not there, or not shown to this process.
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

    /** As {@link #arePendingFor}, from what is in a task's status file. */
    static boolean arePendingIn(final List<String> status) {
        long pending = 0;
        long survived = HARMLESS;
        for (final String line : status) {
            final int colon = line.indexOf(':');
            switch (colon < 0 ? "" : line.substring(0, colon)) {
                case "SigPnd", "ShdPnd" -> pending |= mask(line, colon);
                case "SigBlk", "SigIgn", "SigCgt" -> survived |= mask(line, colon);
                default -> {
                    // Nothing about signals.
                }
            }
        }
        // A signal that ends all threads is SIGKILL to each (complete_signal in the kernel's kernel/signal.c).
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
