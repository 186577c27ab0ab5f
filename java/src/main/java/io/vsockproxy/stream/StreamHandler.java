/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.stream;

import io.vsockproxy.posix.ControlData;
import io.vsockproxy.posix.SplicePipe;

/**
 * Where a {@link Stream}'s bytes go, and who is told what becomes of it: its session.
 */
public interface StreamHandler {
    /**
     * Finds room for bytes about to be read from {@code stream}. A claim is ended by {@link #commit} or {@link #abort}
     * before the next is made.
     *
     * @param minimum bytes without which there is no point in reading.
     * @param maximum bytes that would be welcome.
     * @return how many bytes may be read to {@link #claimedAddress}, or 0: the stream shall stop reading, and will be
     *     told by {@link Stream#resumeReading}.
     */
    int claim(Stream stream, int minimum, int maximum);

    /** Where the claimed bytes are to be read to. */
    long claimedAddress();

    /**
     * {@code length} bytes have been read, maybe 0 for an empty packet.
     *
     * @param control the descriptors that came with them, which the handler takes out; null for none.
     */
    void commit(Stream stream, int length, ControlData control);

    /** Whether bytes without descriptors can go to the other side without being read: see {@link #claimPipe}. */
    boolean takesSplices();

    /**
     * As {@link #claim}, for bytes that are to be moved into a pipe. The claim is ended by {@link #commitPipe}, or by
     * {@link #abort} with the pipe still empty.
     *
     * @return an empty pipe, the handler's own; or null for no room.
     */
    SplicePipe claimPipe(Stream stream);

    /** What is in the pipe has been read, so to speak, from {@code stream}. */
    void commitPipe(Stream stream);

    /** Why these descriptors, which stay the caller's, could not go along with bytes; or null. */
    String obstacle(ControlData control);

    /** Nothing was read. */
    void abort();

    /**
     * The application has closed its end, or the descriptor has failed; nothing more will be read or delivered. The
     * handler forgets the stream and calls {@link Stream#finish} or {@link Stream#close}.
     *
     * @param errno 0 at an end of file.
     */
    void onEnded(Stream stream, int errno);

    /**
     * The application has shut down its sending side, and maybe no more than that. The handler ends the stream, or
     * calls {@link Stream#stopReading}.
     */
    void onEndOfFile(Stream stream);

    /**
     * The application takes no more, but has left something to be read: what comes for it is dropped from now on.
     *
     * @param shut whether it is there, and has shut down its receiving side.
     */
    void onReaderGone(Stream stream, boolean shut);

    /** The application has taken something that cost {@code cost} of the stream's {@link Credit}. */
    void onTaken(Stream stream, long cost);

    /** {@code length} bytes, with so many descriptors, have left the stream's queue (negative: were added to it). */
    void onQueueShrunk(Stream stream, int length, int descriptors);
}
