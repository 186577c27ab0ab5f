/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.testing;

import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.logging.Handler;
import java.util.logging.LogRecord;
import java.util.logging.Logger;
import java.util.logging.SimpleFormatter;

/**
 * What the proxies of this process log.
 */
public final class LogCapture extends Handler implements AutoCloseable {
    private static final Logger LOGGER = Logger.getLogger("io.vsockproxy");

    private final List<String> lines = new CopyOnWriteArrayList<>();
    private final SimpleFormatter formatter = new SimpleFormatter();

    /** Begins to listen; {@link #close} ends it. */
    public LogCapture() {
        LOGGER.addHandler(this);
        LOGGER.setUseParentHandlers(false);
    }

    @Override
    public void publish(final LogRecord logged) {
        lines.add(logged.getLevel() + " " + formatter.formatMessage(logged)
            + (logged.getThrown() == null ? "" : " " + logged.getThrown()));
    }

    @Override
    public void flush() {
        // Nothing is buffered.
    }

    @Override
    public void close() {
        LOGGER.removeHandler(this);
        LOGGER.setUseParentHandlers(true);
    }

    /** The lines that contain {@code text}, so far. */
    public List<String> linesWith(final String text) {
        return lines.stream().filter(line -> line.contains(text)).toList();
    }

    /** Waits for the one line that contains {@code text}, and fails when there are more. */
    public String awaitOne(final String text) {
        Await.until(() -> !linesWith(text).isEmpty(), () -> "a log line with '" + text + "' among " + lines);
        final List<String> found = linesWith(text);
        if (found.size() != 1) {
            throw new AssertionError("log lines with '" + text + "': " + found);
        }
        return found.get(0);
    }

    /** Forgets what was logged so far. */
    public void clear() {
        lines.clear();
    }
}
