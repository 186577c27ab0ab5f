/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.stream;

import io.vsockproxy.posix.ControlData;
import io.vsockproxy.posix.SplicePipe;

/**
 * What a {@link Stream} calls: its session, which takes its bytes and hears what becomes of it. On the loop's thread.
 */
public interface StreamHandler {
    /**
     * Claims room for bytes about to be read from {@code stream}. Each claim must be ended by {@link #commit} or {@link
     * #abort} before the next.
     *
     * @param minimum the fewest bytes with which reading is worthwhile.
     * @param maximum the most bytes to claim.
     * @return how many bytes may be read to {@link #claimedAddress}; or 0, and then the stream must pause until {@link
     *     Stream#resumeReading} is called.
     */
    int claim(Stream stream, int minimum, int maximum);

    /** The address to which the claimed bytes are to be read. */
    long claimedAddress();

    /**
     * Ends the claim: {@code length} bytes have been read, 0 for an empty packet.
     *
     * @param control the descriptors that came with them, of which the handler takes ownership; null for none.
     */
    void commit(Stream stream, int length, ControlData control);

    /** Whether bytes without descriptors can be moved to the other side without being read: see {@link #claimPipe}. */
    boolean takesSplices();

    /**
     * As {@link #claim}, for bytes that are to be moved into a pipe. The claim is ended by {@link #commitPipe}.
     *
     * @param length how many bytes are expected.
     * @return a pipe, which the handler owns, and which may contain the beginning of a message; or null when there is
     *     no room.
     */
    SplicePipe claimPipe(Stream stream, int length);

    /** Ends the claim: {@code length} bytes of {@code stream} have been moved into the pipe, or none. */
    void commitPipe(Stream stream, int length);

    /** Why these descriptors could not be sent along with bytes; or null. Borrows them. */
    String obstacle(ControlData control);

    /** Ends the claim: nothing was read. */
    void abort();

    /**
     * The application has closed its end, or the descriptor has failed; nothing more will be read or delivered. The
     * handler must forget the stream and call {@link Stream#finish} or {@link Stream#close}.
     *
     * @param errno 0 at an end of file.
     */
    void onEnded(Stream stream, int errno);

    /**
     * The application has ended its sending direction, and possibly only that. The handler must end the stream or call
     * {@link Stream#stopReading}.
     */
    void onEndOfFile(Stream stream);

    /**
     * The application takes no more, but there is still something of it to be read. What comes for it is dropped from
     * now on.
     *
     * @param shut whether the application still has its end, and has only shut down its receiving side.
     */
    void onReaderGone(Stream stream, boolean shut);

    /** The application has taken something that cost {@code cost} of the stream's {@link Credit}. */
    void onTaken(Stream stream, long cost);

    /**
     * The stream's queue has shrunk by {@code length} bytes, charges included, and {@code descriptors} descriptors;
     * negative when it has grown.
     */
    void onQueueShrunk(int length, int descriptors);
}
