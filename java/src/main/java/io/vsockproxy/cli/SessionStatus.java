/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.cli;

import io.vsockproxy.SessionListener;
import io.vsockproxy.channel.Peer;
import io.vsockproxy.systemd.ServiceManager;

/**
 * Tells the service manager who is connected, for {@code systemctl status} to show.
 */
final class SessionStatus implements SessionListener {
    private final ServiceManager manager;
    private int sessions;

    SessionStatus(final ServiceManager manager) {
        this.manager = manager;
    }

    @Override
    public void onConnected(final Peer peer) {
        sessions++;
        show(peer.name() + ": session began");
    }

    @Override
    public void onEnded(final Peer peer, final String reason) {
        sessions--;
        show(peer.name() + ": session ended: " + reason);
    }

    private void show(final String event) {
        manager.status("sessions: " + sessions + "; last, " + event);
    }
}
