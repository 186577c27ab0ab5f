/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.link;

import io.vsockproxy.posix.SplicePipe;

/**
 * What a {@link Link} calls: its session. On the loop's thread.
 */
public interface LinkHandler {
    /** Bytes have been received into the inbound buffer. */
    void onReceived();

    /**
     * How many of the next bytes, after those in the inbound buffer, may go through the pipe because they need not be
     * read.
     *
     * @return 0 for none.
     */
    int spliceableLength();

    /**
     * {@code length} such bytes have been moved into {@code pipe}. The handler may leave bytes in it only if more are
     * to follow.
     */
    void onSpliced(SplicePipe pipe, int length);

    /** The pipe is full: the handler must take out what is in it, and let nothing more go through it for now. */
    void onPipeFull(SplicePipe pipe);

    /** The most bytes to read next, so that those after them may go through the pipe. */
    int receiveLength();

    /** The outbound ring has room for bytes from local sources again. Called after {@link Link#wantRoom}. */
    void onRoom();

    /**
     * The peer will send no more; everything received before has been passed on. What waits is still sent, because the
     * peer may have closed one direction only; {@link #onEnded} follows when it has been sent or cannot be.
     */
    void onInputEnded();

    /**
     * The connection has ended; everything received before has been passed on. Called once, last.
     *
     * @param errno 0 when the peer closed in order.
     */
    void onEnded(int errno);
}
