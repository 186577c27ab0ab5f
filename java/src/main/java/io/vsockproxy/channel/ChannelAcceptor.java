/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.channel;

/**
 * Accepts connections that the other side makes to a name of this side's.
 */
@FunctionalInterface
public interface ChannelAcceptor {
    /**
     * Somebody on the other side connects. Called on the engine's thread; must not block.
     *
     * @param peer the other side.
     * @param name the name that was connected to.
     * @return the new channel's handler, whose {@link ChannelHandler#onConnected} is called next; null refuses the
     *     connection (ECONNREFUSED).
     */
    ChannelHandler onConnect(Peer peer, String name);
}
