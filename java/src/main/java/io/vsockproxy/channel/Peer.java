/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.channel;

/**
 * One other side, as long as the session with it lasts. Confined to the engine's thread.
 */
public interface Peer {
    /** For the log: {@code guest 3}. */
    String name();

    /** Whether the session goes on. */
    boolean isConnected();

    /**
     * Connects to the unix socket, or the component, at {@code path} on the other side, which must allow it.
     *
     * @param path    1 to 107 bytes in UTF-8, no NUL.
     * @param handler is told the outcome, maybe before this returns.
     * @throws IllegalArgumentException when {@code path} cannot be the path of a unix socket.
     */
    void connect(String path, ChannelHandler handler);

    /** Ends the session at the end of this turn, and every channel and stream of it; a guest connects anew. */
    void disconnect(String reason);
}
