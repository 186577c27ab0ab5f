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
 * Shows the proxy's counters in their file: what has changed is to be seen a tenth of a second later.
 *
 * <p>The events themselves only count in plain fields. After the first turn of the loop that did anything a timer is
 * set; when it is due, everything is added up and stored. So a busy proxy does that ten times a second, and an idle one
 * not at all. Allocates nothing. Confined to the loop's thread.
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
     * @param source adds what there is now.
     * @throws java.io.UncheckedIOException when the file cannot be made.
     */
    CounterPublisher(final EventLoop loop, final Path path, final Consumer<CounterValues> source) {
        this.loop = loop;
        this.source = source;
        this.path = path;
        file = new CounterFile(path);
    }

    /** The loop has turned. */
    void onTurn() {
        if (due) {
            due = false;
            publish();
        } else if (!timer.isScheduled()) {
            loop.schedule(timer, INTERVAL_NS);
        }
    }

    /** A session is not among those that the source adds any more. */
    void onSettled(final Session session) {
        session.counters().addTo(past);
    }

    /** Shows the last values. */
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
            LOGGER.log(Level.WARNING, "counters are shown no more in {0}: it has been cut, or its disk is full", path);
        }
    }
}
