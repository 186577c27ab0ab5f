/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.channel;

import org.agrona.DirectBuffer;

/**
 * Sends on a {@link Channel} from any thread, any number of them at once.
 *
 * <p>Messages go through a ring of their own (many producers, one consumer), from where the engine's thread copies them
 * once into the outbound ring as that has room. Those of one thread keep their order.
 */
public interface ChannelSender extends AutoCloseable {
    /**
     * Sends {@code length} bytes, all or none of them. They are copied into the ring before this returns.
     *
     * @param buffer has the bytes; it stays the caller's.
     * @param offset of the first, in bytes from the buffer's start.
     * @param length 1 to {@link #maxLength}, in bytes.
     * @return {@code length}; {@link Channel#WOULD_BLOCK}: the ring is full, try again later (there is no callback: the
     *     engine makes room as fast as the other side takes it); {@link Channel#CLOSED}.
     * @throws IllegalArgumentException  when {@code length} is not in that range.
     * @throws IndexOutOfBoundsException when the buffer has no such bytes.
     */
    int offer(DirectBuffer buffer, int offset, int length);

    /**
     * Claims {@code length} bytes of the ring, to be written in place; commit or abort soon, as what other threads send
     * later waits behind it, and so do {@link #shutdownOutput} and {@link #close}. Of a claim that is never given up,
     * nobody is told; {@link Channel#reset} does not wait for it, nor does the end of the peer's side or of the
     * session. Committed after that, it goes nowhere.
     *
     * @param claim this thread's.
     * @return as {@link #offer}.
     */
    int tryClaim(int length, ChannelClaim claim);

    /** The longest single message, in bytes. */
    int maxLength();

    /** As {@link Channel#resume}, at the engine's next turn. */
    void resume();

    /** As {@link Channel#shutdownOutput}, once everything offered before has been sent. */
    void shutdownOutput();

    /** Whether the channel is neither closed nor closing. */
    boolean isOpen();

    /** As {@link Channel#close}, once everything offered before has been sent. Idempotent. */
    @Override
    void close();
}
