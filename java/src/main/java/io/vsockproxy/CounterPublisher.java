/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy;

import io.vsockproxy.counters.CounterFile;
import io.vsockproxy.counters.CounterValues;
import io.vsockproxy.loop.EventLoop;
import io.vsockproxy.loop.Timer;
import io.vsockproxy.session.Session;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;

/**
 * Publishes the proxy's counters in their file, a tenth of a second after they have changed.
 *
 * <p>Events are only counted in plain fields. The first turn of the loop after a publication sets a timer; when it is
 * due, everything is added up and stored. So a busy proxy publishes ten times a second, and an idle one not at all.
 * Allocates nothing. Confined to the loop's thread.
 */
final class CounterPublisher implements AutoCloseable {
    private static final Logger LOGGER = System.getLogger(CounterPublisher.class.getName());
    private static final long INTERVAL_NS = TimeUnit.MILLISECONDS.toNanos(100);

    private final EventLoop loop;
    private final CounterFile file;
    private final Consumer<CounterValues> source;
    private final CounterValues past = new CounterValues();
    private final CounterValues values = new CounterValues();
    private final Timer timer = new Timer(() -> due = true);
    private final Path path;
    private boolean due;
    private boolean broken;

    /**
     * @param source adds the current values of everything that still exists to the object it is given.
     * @throws java.io.UncheckedIOException when the file cannot be created.
     */
    CounterPublisher(final EventLoop loop, final Path path, final Consumer<CounterValues> source) {
        this.loop = loop;
        this.source = source;
        this.path = path;
        file = new CounterFile(path);
    }

    /** To be called after each turn of the loop. */
    void onTurn() {
        if (due) {
            due = false;
            publish();
        } else if (!timer.isScheduled()) {
            loop.schedule(timer, INTERVAL_NS);
        }
    }

    /** Keeps the counts of a session that the source will no longer include. */
    void onSettled(final Session session) {
        session.counters().addTo(past);
    }

    /** Publishes the final values, then closes the file. */
    @Override
    public void close() {
        loop.cancel(timer);
        publish();
        file.close();
    }

    private void publish() {
        values.set(past);
        source.accept(values);
        if (broken) {
            return;
        }
        if (!file.show(values)) {
            broken = true;
            LOGGER.log(
                Level.WARNING, "counters are no longer updated in {0}: it was truncated, or its disk is full", path);
        }
    }
}
