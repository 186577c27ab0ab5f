/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.model;

import java.util.ArrayDeque;
import java.util.Deque;

/**
 * The last operations that were carried out, to be shown when a test fails. Thread-safe.
 */
final class Trace {
    private static final int MAX_LINES = 120;

    private final Deque<String> lines = new ArrayDeque<>();
    private int operation;

    /** The operation that is carried out now. */
    synchronized void next(final int index) {
        operation = index;
    }

    /** Something is done to {@code subject}. */
    synchronized void add(final Object subject, final String what) {
        lines.add(operation + ": " + subject + ": " + what);
        if (lines.size() > MAX_LINES) {
            lines.remove();
        }
    }

    /** What came of it. */
    synchronized void result(final String outcome) {
        lines.add(lines.removeLast() + " -> " + outcome);
    }

    @Override
    public synchronized String toString() {
        return String.join("\n", lines);
    }
}
