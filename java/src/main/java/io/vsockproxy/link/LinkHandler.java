/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.link;

/**
 * What a {@link Link} tells its session.
 */
public interface LinkHandler {
    /** Bytes have come in. */
    void onReceived();

    /** There is room again for bytes read from local sources, after there was none. */
    void onRoom();

    /**
     * The peer will send no more; everything received before has been handed over. What waits to be sent still is, for
     * the peer may have closed one direction only; {@link #onEnded} follows when it has left, or cannot.
     */
    void onInputEnded();

    /**
     * The connection has ended; everything received before has been handed over. Called once, last.
     *
     * @param errno 0 when the peer closed in order.
     */
    void onEnded(int errno);
}
