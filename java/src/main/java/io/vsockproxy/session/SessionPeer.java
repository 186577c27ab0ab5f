/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.session;

import io.vsockproxy.channel.ChannelHandler;
import io.vsockproxy.channel.Peer;
import io.vsockproxy.posix.Errno;
import io.vsockproxy.posix.SocketAddress;
import io.vsockproxy.stream.ChannelCommons;
import java.util.Objects;
import org.agrona.concurrent.UnsafeBuffer;

/**
 * A session's peer as components see it. Confined to the loop's thread.
 */
final class SessionPeer implements Peer {
    private final Session session;
    private final Connects connects;
    private final ChannelCommons channels;

    SessionPeer(final Session session, final Connects connects, final ChannelCommons channels) {
        this.session = session;
        this.connects = connects;
        this.channels = channels;
    }

    @Override
    public String name() {
        return session.name();
    }

    @Override
    public boolean isConnected() {
        return !session.hasEnded();
    }

    @Override
    public void connect(final String path, final ChannelHandler handler) {
        channels.check();
        final byte[] bytes = SocketAddress.checkPath(path);
        Objects.requireNonNull(handler, "handler");
        if (session.hasEnded()) {
            channels.call(() -> handler.onConnectFailed(Errno.ENOTCONN));
            return;
        }
        session.guarded(() -> connects.request(new UnsafeBuffer(bytes), handler));
    }

    @Override
    public void disconnect(final String reason) {
        channels.check();
        session.end(reason);
    }
}
