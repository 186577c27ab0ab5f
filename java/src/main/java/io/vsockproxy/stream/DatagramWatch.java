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
 * Notices that the other end of a unix datagram socket has been closed, by looking while there are any: the kernel
 * reports it to nobody.
 *
 * <p>Each is looked at twice a second while there are few. To find one the kernel walks all unix sockets, so looking at
 * all of thousands would keep the loop busy for long: a look is at {@value #MAX_SOCKETS_PER_LOOK} of them at most, by
 * turns, and the next comes the later the longer it took, up to half a second. With thousands an end is noticed seconds
 * later; where looks take very long, a minute and more.
 */
final class DatagramWatch implements AutoCloseable {
    static final int MAX_SOCKETS_PER_LOOK = 32;

    private static final long INTERVAL_NS = TimeUnit.MILLISECONDS.toNanos(500);
    /** Between two looks of many, so many times as long as the first took: they cost 5 % of the loop. */
    private static final int PAUSE_FACTOR = 19;

    private final EventLoop loop;
    private final DescriptorInspector inspector;
    /** The one that was looked at longest ago comes first. */
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

    /** Descriptors of its own. */
    int descriptorCount() {
        return diag != null && diag.isOpen() ? 1 : 0;
    }

    @Override
    public void close() {
        loop.cancel(timer);
        closeDiag();
    }

    /** Looks at those whose turn it is. */
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
            // Ending a stream may end others; none is added from here.
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

    /** How long to wait after a look that took {@code tookNs}, when {@code count} are watched. */
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
