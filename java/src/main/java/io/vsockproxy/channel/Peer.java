/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.channel;

/**
 * The other side of one session. Confined to the engine's thread: {@link #connect} and {@link #disconnect} throw {@link
 * IllegalStateException} on any other, and while a claim is open.
 */
public interface Peer {
    /** For the log: {@code guest 3}. */
    String name();

    /** Whether the session still exists. */
    boolean isConnected();

    /**
     * Connects to the unix socket, or the component, at {@code path} on the other side, which must allow it.
     *
     * @param path    1 to 107 bytes in UTF-8, no NUL.
     * @param handler hears the outcome, possibly before this method returns.
     * @throws IllegalArgumentException when {@code path} is not a valid path of a unix socket.
     */
    void connect(String path, ChannelHandler handler);

    /**
     * Ends the session with all of its channels and streams, at the end of this turn. A guest then reconnects.
     *
     * @param reason human-readable, for the log and {@link io.vsockproxy.SessionListener#onEnded}.
     */
    void disconnect(String reason);
}
