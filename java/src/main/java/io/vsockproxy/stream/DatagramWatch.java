/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.stream;

import io.vsockproxy.loop.EventLoop;
import io.vsockproxy.loop.Timer;
import io.vsockproxy.posix.UnixSocketDiag;
import java.util.ArrayDeque;
import java.util.concurrent.TimeUnit;

/**
 * Notices that the other end of a unix datagram socket has been closed. The kernel reports no event for that, so the
 * sockets are polled while there are any.
 *
 * <p>Each socket is checked twice a second while there are few. To find one, the kernel walks all unix sockets, so
 * checking thousands at once would keep the loop busy for long. Therefore each look checks at most {@value
 * #MAX_SOCKETS_PER_LOOK} sockets, in turn, and the pause after a look is proportional to how long it took, up to half a
 * second. With thousands of sockets a close is noticed seconds later; when looks take very long, a minute or more.
 */
final class DatagramWatch implements AutoCloseable {
    static final int MAX_SOCKETS_PER_LOOK = 32;

    private static final long INTERVAL_NS = TimeUnit.MILLISECONDS.toNanos(500);
    /** A pause is this many times as long as the look before it, so that looks take at most 5 % of the loop's time. */
    private static final int PAUSE_FACTOR = 19;

    private final EventLoop loop;
    private final DescriptorInspector inspector;
    /** The one checked longest ago comes first. */
    private final ArrayDeque<SocketStream> watched = new ArrayDeque<>();
    private final Timer timer = new Timer(this::look);
    private UnixSocketDiag diag;

    DatagramWatch(final EventLoop loop, final DescriptorInspector inspector) {
        this.loop = loop;
        this.inspector = inspector;
    }

    /** Watches a datagram stream of the unix family until it is closed. */
    void add(final SocketStream stream) {
        watched.add(stream);
        if (!timer.isScheduled()) {
            loop.schedule(timer, INTERVAL_NS);
        }
    }

    /** How many descriptors this holds open. */
    int descriptorCount() {
        return diag != null && diag.isOpen() ? 1 : 0;
    }

    @Override
    public void close() {
        loop.cancel(timer);
        closeDiag();
    }

    /** Checks the sockets whose turn it is. */
    void look() {
        final long startNs = System.nanoTime();
        if (diag == null) {
            diag = new UnixSocketDiag();
        }
        watched.removeIf(Stream::isClosed);
        final int count = Math.min(watched.size(), MAX_SOCKETS_PER_LOOK);
        for (int i = 0; i < count; i++) {
            final SocketStream stream = watched.remove();
            watched.add(stream);
            // Ending a stream may end others, but adds none.
            if (!stream.isClosed() && diag.hasLostPeer(inspector.inode(stream.descriptor.fd()))) {
                stream.onPeerLost();
            }
        }
        watched.removeIf(Stream::isClosed);
        if (watched.isEmpty()) {
            closeDiag();
        } else {
            loop.schedule(timer, pauseNs(watched.size(), System.nanoTime() - startNs));
        }
    }

    /** How long to pause after a look that took {@code tookNs}, when {@code count} sockets are watched. */
    static long pauseNs(final int count, final long tookNs) {
        final long shareNs = INTERVAL_NS * MAX_SOCKETS_PER_LOOK / Math.max(count, MAX_SOCKETS_PER_LOOK);
        return Math.min(INTERVAL_NS, Math.max(shareNs, PAUSE_FACTOR * tookNs));
    }

    private void closeDiag() {
        if (diag != null) {
            diag.close();
            diag = null;
        }
    }
}
