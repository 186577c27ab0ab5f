/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy;

import io.vsockproxy.channel.Peer;

/**
 * Hears when a peer's session begins and ends. Called on the engine's thread; must not block.
 */
public interface SessionListener {
    /** A session has begun: connections can be made to its peer. */
    default void onConnected(final Peer peer) {
    }

    /**
     * The session is over. The handlers of its channels are told as well, later in this turn or in the next one. A
     * guest reconnects by itself.
     *
     * @param reason human-readable.
     */
    default void onEnded(final Peer peer, final String reason) {
    }
}
