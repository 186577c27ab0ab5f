/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.channel;

import org.agrona.DirectBuffer;

/**
 * Sends on a {@link Channel} from any thread; any number of threads may do so at once.
 *
 * <p>Messages go through a ring of their own (many producers, one consumer), from which the engine's thread copies them
 * once into the outbound ring as soon as that has room. Messages from one thread keep their order.
 */
public interface ChannelSender extends AutoCloseable {
    /**
     * Sends {@code length} bytes, all or none of them. They are copied into the ring before this returns.
     *
     * @param buffer contains the bytes; borrowed for this call only.
     * @param offset of the first byte in the buffer.
     * @param length 1 to {@link #maxLength} bytes.
     * @return {@code length}; or {@link Channel#WOULD_BLOCK}: the ring is full, so try again later (there is no
     *     callback; the engine empties the ring as fast as the other side takes the bytes); or {@link Channel#CLOSED}.
     * @throws IllegalArgumentException  when {@code length} is not in that range.
     * @throws IndexOutOfBoundsException when the buffer has no such bytes.
     */
    int offer(DirectBuffer buffer, int offset, int length);

    /**
     * Claims {@code length} bytes of the ring, to be written in place. Commit or abort it soon: whatever other threads
     * send later waits behind it, and so do {@link #shutdownOutput} and {@link #close}. A claim that stays open is
     * never reported to anyone. {@link Channel#reset} does not wait for it, nor does the end of the peer's side or of
     * the session; committed after that, it is dropped.
     *
     * @param length 1 to {@link #maxLength} bytes.
     * @param claim  an object that only this thread uses. It can be used again for every claim.
     * @return as {@link #offer}.
     * @throws IllegalArgumentException when {@code length} is not in that range.
     * @throws IllegalStateException    when {@code claim} is in use: neither committed nor aborted.
     */
    int tryClaim(int length, ChannelClaim claim);

    /** The longest single message, in bytes. */
    int maxLength();

    /** As {@link Channel#resume}, but takes effect at the engine's next turn. */
    void resume();

    /** As {@link Channel#shutdownOutput}, but takes effect once everything offered before has been sent. */
    void shutdownOutput();

    /** Whether the channel is neither closed nor closing. */
    boolean isOpen();

    /** As {@link Channel#close}, but takes effect once everything offered before has been sent. Idempotent. */
    @Override
    void close();
}
