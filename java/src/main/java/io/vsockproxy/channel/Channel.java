/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.channel;

import io.vsockproxy.posix.OwnedFd;
import org.agrona.DirectBuffer;

/**
 * One connection to the other side, of which this end is a component in this process.
 *
 * <p>It carries bytes in both directions, in order and reliably, like a connected unix stream socket: the other side
 * may receive one message in parts, or several at once. Each direction can end before the other. Descriptors can go
 * along with bytes.
 *
 * <p>Confined to the engine's thread (see the package). Methods throw {@link IllegalStateException} when called on
 * another, or while a {@linkplain #tryClaim claim} is neither committed nor aborted.
 */
public interface Channel extends AutoCloseable {
    /** Nothing was sent: no room on the link, or the other side's reader is behind. See {@link #offer}. */
    int WOULD_BLOCK = -1;

    /** Nothing was sent, and nothing can be any more. */
    int CLOSED = -2;

    /**
     * Sends {@code length} bytes, all or none of them. They are copied once, into the outbound ring, before this
     * returns.
     *
     * @param buffer has the bytes; it stays the caller's.
     * @param offset of the first, in bytes from the buffer's start.
     * @param length 0 to {@link #maxLength}, in bytes.
     * @return {@code length}; {@link #WOULD_BLOCK}, and {@link ChannelHandler#onWritable} will be called when it is
     *     worth trying again; or {@link #CLOSED}, after {@link #shutdownOutput} or the channel's end.
     * @throws IllegalArgumentException  when {@code length} is not in that range.
     * @throws IndexOutOfBoundsException when the buffer has no such bytes.
     */
    int offer(DirectBuffer buffer, int offset, int length);

    /**
     * Sends bytes and, with the first of them, descriptors: sockets, pipes and regular files; others only where the
     * link is a unix socket.
     *
     * @param buffer      as above.
     * @param offset      as above.
     * @param length      as above, but at least 1, for the descriptors to go with.
     * @param descriptors at most 253. They are taken over if the bytes are sent, and stay the caller's otherwise. A
     *                    file is served to the other side for as long as it has it open there.
     * @return as above.
     * @throws IllegalArgumentException when one of them cannot be carried, naming it; nothing has been sent then.
     * @throws IllegalStateException    when one of them is closed or released; likewise.
     */
    int offer(DirectBuffer buffer, int offset, int length, OwnedFd... descriptors);

    /**
     * Claims {@code length} bytes of the outbound ring, to be written in place and then {@linkplain
     * ChannelClaim#commit committed}, which sends them, or aborted. At most one claim may be open in the whole proxy,
     * and only until the callback, or in an embedded proxy the next turn: one left open then is aborted, and the error
     * handler told.
     *
     * @param length 1 to {@link #maxLength}, in bytes.
     * @param claim  is used again for each claim; holds the place to write to if this returns {@code length}.
     * @return as {@link #offer(DirectBuffer, int, int)}.
     * @throws IllegalArgumentException when {@code length} is not in that range.
     */
    int tryClaim(int length, ChannelClaim claim);

    /** The longest single message, in bytes: 128 KiB, or less in a proxy with a smaller outbound ring. */
    int maxLength();

    /**
     * Stops giving bytes to {@link ChannelHandler#onData}; the sender is stopped in turn once its credit is used up.
     */
    void pause();

    /** Gives bytes again, those kept meanwhile first; not before this returns. */
    void resume();

    /** Whether bytes are kept until {@link #resume}. */
    boolean isPaused();

    /**
     * Sends no more: the other side reads an end of file after everything offered before. Receiving goes on, unless
     * the peer does not know half-close (see docs/behaviour.md): then the channel closes.
     */
    void shutdownOutput();

    /**
     * Closes the channel in order: everything offered before, by way of {@link #sender} too, still arrives. What was
     * kept for {@link #resume} is dropped. {@link ChannelHandler#onClosed} is told, at the end of this turn or once the
     * sender's messages have left. Idempotent.
     */
    @Override
    void close();

    /**
     * Closes the channel at once, for a reason that a peer of our kind is told; what waits in {@link #sender} is
     * dropped.
     *
     * @param errno the reason, as the other side's Linux numbers it; not 0.
     */
    void reset(int errno);

    /** Whether it is neither closed nor closing. */
    boolean isOpen();

    /** Whom it leads to. */
    Peer peer();

    /**
     * The way to send from other threads. Made at the first call; later calls return the same, whatever they ask for.
     *
     * @param capacity of the ring that it sends through, in bytes, a power of two, at least 4096. A message may have an
     *                 eighth of that.
     * @throws IllegalArgumentException when {@code capacity} is none of those.
     */
    ChannelSender sender(int capacity);
}
