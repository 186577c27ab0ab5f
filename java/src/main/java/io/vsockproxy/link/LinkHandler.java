/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.link;

import io.vsockproxy.posix.SplicePipe;

/**
 * What a {@link Link} tells its session.
 */
public interface LinkHandler {
    /** Bytes have come in. */
    void onReceived();

    /**
     * How many of the bytes that come next, after those in the inbound buffer, may go through a pipe, because they need
     * not be read.
     *
     * @return 0 for none.
     */
    default int spliceableLength() {
        return 0;
    }

    /** {@code length} such bytes have come. Those that stay in the pipe must be followed by more. */
    default void onSpliced(final SplicePipe pipe, final int length) {
        throw new UnsupportedOperationException();
    }

    /** The pipe has no room for more: what is in it must be taken out, and nothing more may go through it for now. */
    default void onPipeFull(final SplicePipe pipe) {
        throw new UnsupportedOperationException();
    }

    /** How many bytes to read at most, so that those after them may go through a pipe. */
    default int receiveLength() {
        return Integer.MAX_VALUE;
    }

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
