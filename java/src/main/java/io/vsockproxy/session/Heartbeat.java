/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.session;

import io.vsockproxy.config.Extensions;
import io.vsockproxy.link.Link;
import io.vsockproxy.loop.EventLoop;
import io.vsockproxy.loop.Timer;
import java.util.concurrent.TimeUnit;

/**
 * Notices a peer that hangs: one that reads nothing from the link, or, if it knows the extension, one that sends
 * nothing. Confined to the loop's thread.
 */
final class Heartbeat {
    private static final int BEATS_TO_END = 4;

    private final EventLoop loop;
    private final Extensions settings;
    private final Session session;
    private final Link link;
    private final Inbox inbox;
    private final PeerExtension extension;
    private final Timer timer = new Timer(this::beat);
    private final long intervalNs;
    private long lastReceived;
    private long lastReceivedNs;
    private long lastSent;
    private long lastSentNs;

    Heartbeat(
        final SessionResources resources,
        final Session session,
        final Link link,
        final Inbox inbox,
        final PeerExtension extension) {
        this.loop = resources.loop();
        this.settings = resources.extensions();
        this.session = session;
        this.link = link;
        this.inbox = inbox;
        this.extension = extension;
        final long linkInterval = settings.linkTimeoutNs() / BEATS_TO_END;
        final long heartbeat = settings.heartbeatIntervalNs();
        intervalNs = heartbeat > 0 && linkInterval > 0 ? Math.min(heartbeat, linkInterval)
            : Math.max(heartbeat, linkInterval);
    }

    void start() {
        if (intervalNs > 0) {
            lastReceivedNs = loop.nowNs();
            lastSentNs = loop.nowNs();
            loop.schedule(timer, intervalNs);
        }
    }

    void stop() {
        loop.cancel(timer);
    }

    private void beat() {
        final long nowNs = loop.nowNs();
        if (link.bytesReceived() != lastReceived || inbox.isBlocked()) {
            lastReceived = link.bytesReceived();
            lastReceivedNs = nowNs;
        }
        if (link.outbound().bytesSent() != lastSent || link.outbound().isEmpty()) {
            lastSent = link.outbound().bytesSent();
            lastSentNs = nowNs;
        }
        if (settings.linkTimeoutNs() > 0 && nowNs - lastSentNs >= settings.linkTimeoutNs()) {
            session.end("the peer has taken nothing for " + TimeUnit.NANOSECONDS.toMillis(nowNs - lastSentNs)
                + " ms, unsent bytes=" + link.outbound().pendingBytes());
            return;
        }
        if (inbox.isBlocked() && extension.isAgreed() && link.outbound().isEmpty()) {
            // The peer's PINGs cannot be read now, so life is shown unasked.
            session.guarded(extension::showLife);
        }
        final long silentNs = nowNs - lastReceivedNs;
        final long heartbeatNs = settings.heartbeatIntervalNs();
        if (heartbeatNs > 0 && extension.isAgreed() && silentNs >= heartbeatNs) {
            if (silentNs >= BEATS_TO_END * heartbeatNs) {
                session.end("the peer has been silent for " + TimeUnit.NANOSECONDS.toMillis(silentNs) + " ms");
                return;
            }
            session.guarded(() -> extension.ping(nowNs));
        }
        loop.schedule(timer, intervalNs);
    }
}
