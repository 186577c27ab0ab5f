/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.channel;

/**
 * Stands for a name that the other side may connect to.
 */
@FunctionalInterface
public interface ChannelAcceptor {
    /**
     * Somebody on the other side connects. On the engine's thread; must not block.
     *
     * @param peer which other side.
     * @param name the name that was connected to.
     * @return what is to deal with the channel, which is told next; null refuses it (ECONNREFUSED).
     */
    ChannelHandler onConnect(Peer peer, String name);
}
