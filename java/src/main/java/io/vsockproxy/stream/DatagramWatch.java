/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.stream;

import io.vsockproxy.loop.EventLoop;
import io.vsockproxy.loop.Timer;
import io.vsockproxy.posix.UnixSocketDiag;
import java.util.ArrayList;
import java.util.concurrent.TimeUnit;

/**
 * Notices that the other end of a unix datagram socket has been closed, by looking twice a second while there are any:
 * the kernel reports it to nobody.
 */
final class DatagramWatch implements AutoCloseable {
    private static final long INTERVAL_NS = TimeUnit.MILLISECONDS.toNanos(500);

    private final EventLoop loop;
    private final DescriptorInspector inspector;
    private final ArrayList<SocketStream> watched = new ArrayList<>();
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

    private void look() {
        if (diag == null) {
            diag = new UnixSocketDiag();
        }
        watched.removeIf(Stream::isClosed);
        // Ending a stream may end others; none is added from here.
        for (final SocketStream stream : watched.toArray(new SocketStream[0])) {
            if (!stream.isClosed() && diag.hasLostPeer(inspector.inode(stream.descriptor.fd()))) {
                stream.onPeerLost();
            }
        }
        watched.removeIf(Stream::isClosed);
        if (watched.isEmpty()) {
            closeDiag();
        } else {
            loop.schedule(timer, INTERVAL_NS);
        }
    }

    private void closeDiag() {
        if (diag != null) {
            diag.close();
            diag = null;
        }
    }
}
