/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.stream;

import io.vsockproxy.loop.EventLoop;
import io.vsockproxy.loop.Timer;
import java.util.ArrayList;
import java.util.concurrent.TimeUnit;

/**
 * Streams whose sockets are writable, but on which the kernel accepts nothing for now: too many of this user's
 * descriptors are in flight, sent but not yet received (ETOOMANYREFS in unix(7)), or it has no memory. Nothing tells
 * when that changes, so sending is retried.
 *
 * <p>Confined to the loop's thread.
 */
final class DrainRetries implements AutoCloseable {
    private static final long RETRY_NS = TimeUnit.MILLISECONDS.toNanos(10);

    private final EventLoop loop;
    private final ArrayList<DescriptorStream> waiting = new ArrayList<>();
    private final Timer timer = new Timer(this::retry);

    DrainRetries(final EventLoop loop) {
        this.loop = loop;
    }

    /** Has {@code stream} drained again after 10 ms, unless it is closed by then. */
    void add(final DescriptorStream stream) {
        if (!stream.waitsForRetry) {
            stream.waitsForRetry = true;
            waiting.add(stream);
        }
        if (!timer.isScheduled()) {
            loop.schedule(timer, RETRY_NS);
        }
    }

    @Override
    public void close() {
        loop.cancel(timer);
        waiting.clear();
    }

    private void retry() {
        for (final DescriptorStream stream : waiting) {
            stream.waitsForRetry = false;
            if (!stream.isClosed() && !stream.queue.isEmpty()) {
                stream.wantDraining(true);
            }
        }
        waiting.clear();
    }
}
