/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy;

import io.vsockproxy.channel.Peer;

/**
 * Is told when another side comes and goes. On the engine's thread; must not block.
 */
public interface SessionListener {
    /** A session has begun: its peer may be asked for connections. */
    default void onConnected(final Peer peer) {
    }

    /**
     * The session is over. Its channels are told as well, later in this turn or in the next; a guest connects anew by
     * itself.
     *
     * @param reason for people.
     */
    default void onEnded(final Peer peer, final String reason) {
    }
}
