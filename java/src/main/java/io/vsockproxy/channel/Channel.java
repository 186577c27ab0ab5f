/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.channel;

import io.vsockproxy.posix.OwnedFd;
import org.agrona.DirectBuffer;

/**
 * One connection to the other side, whose end on this side is a component of this process.
 *
 * <p>It carries bytes in both directions, in order and reliably, like a connected unix stream socket: the other side
 * may receive one message in parts, or several at once. Each direction can end on its own. Descriptors can be sent
 * along with bytes.
 *
 * <p>Confined to the engine's thread (see the package). Methods throw {@link IllegalStateException} when called on
 * another thread, or while a {@linkplain #tryClaim claim} is open, that is, neither committed nor aborted. Only {@link
 * #maxLength}, {@link #isPaused}, {@link #isOpen} and {@link #peer} do not check that; the second and third may say
 * something outdated on another thread.
 */
public interface Channel extends AutoCloseable {
    /** Nothing was sent: the link has no room, or the other side's reader is behind. See {@link #offer}. */
    int WOULD_BLOCK = -1;

    /** Nothing was sent, and nothing ever can be again. */
    int CLOSED = -2;

    /**
     * Sends {@code length} bytes, all or none of them. They are copied once, into the outbound ring, before this
     * returns.
     *
     * @param buffer contains the bytes; borrowed for this call only.
     * @param offset of the first byte in the buffer.
     * @param length 0 to {@link #maxLength} bytes.
     * @return {@code length}; or {@link #WOULD_BLOCK}, and {@link ChannelHandler#onWritable} will be called when it is
     *     worth trying again; or {@link #CLOSED}, after {@link #shutdownOutput} or the end of the channel.
     * @throws IllegalArgumentException  when {@code length} is not in that range.
     * @throws IndexOutOfBoundsException when the buffer has no such bytes.
     */
    int offer(DirectBuffer buffer, int offset, int length);

    /**
     * Sends bytes and, with the first of them, descriptors: sockets, pipes and regular files; others only where the
     * link is a unix socket or the proxy has a descriptor socket.
     *
     * @param buffer      as above.
     * @param offset      as above.
     * @param length      as above, but at least 1: descriptors are attached to a byte.
     * @param descriptors at most 253. Takes ownership of them if the bytes are sent; otherwise they stay the caller's.
     *                    A file is served to the other side for as long as it is open there.
     * @return as above.
     * @throws IllegalArgumentException when one of them cannot be carried, which the message names; nothing has been
     *                                  sent then.
     * @throws IllegalStateException    when one of them has been closed or released; nothing has been sent then.
     */
    int offer(DirectBuffer buffer, int offset, int length, OwnedFd... descriptors);

    /**
     * Claims {@code length} bytes of the outbound ring, to be written in place and then {@linkplain ChannelClaim#commit
     * committed}, which sends them, or aborted. Only one claim may be open in the whole proxy, and only until the
     * current callback returns or, outside callbacks of an embedded proxy, until the next turn. A claim still open then
     * is aborted, and the error handler is told.
     *
     * @param length 1 to {@link #maxLength} bytes.
     * @param claim  receives the place to write to, if this returns {@code length}. The same object can be used for
     *               every claim.
     * @return as {@link #offer(DirectBuffer, int, int)}.
     * @throws IllegalArgumentException when {@code length} is not in that range.
     * @throws IllegalStateException    also when {@code claim} is in use: neither committed nor aborted.
     */
    int tryClaim(int length, ChannelClaim claim);

    /** The longest single message, in bytes: 128 KiB, or less in a proxy with a smaller outbound ring. */
    int maxLength();

    /**
     * Stops calling {@link ChannelHandler#onData}; what comes is kept, and the sender is stopped in turn once its
     * credit is used up.
     */
    void pause();

    /**
     * Calls {@link ChannelHandler#onData} again, with the bytes kept meanwhile first; not before this method returns.
     */
    void resume();

    /** Whether bytes that come are kept until {@link #resume}. */
    boolean isPaused();

    /**
     * Ends sending: after everything offered before, the other side reads an end of file. Receiving goes on, unless the
     * peer does not know half-close (see docs/behaviour.md): then the channel closes. Idempotent.
     */
    void shutdownOutput();

    /**
     * Closes the channel in order: everything offered before, through {@link #sender} too, still arrives. What was kept
     * for {@link #resume} is dropped. {@link ChannelHandler#onClosed} is called at the end of this turn, or once the
     * sender's messages have been sent. Idempotent.
     */
    @Override
    void close();

    /**
     * Closes the channel at once, for a reason that is passed on to a peer with the extension; what waits in {@link
     * #sender} is dropped.
     *
     * @param errno the reason, numbered as the other side's Linux does; at least 1.
     * @throws IllegalArgumentException when {@code errno} is not in that range.
     */
    void reset(int errno);

    /** Whether it is neither closed nor closing. */
    boolean isOpen();

    /** The peer at the other end. */
    Peer peer();

    /**
     * What other threads send through. Created at the first call; later calls return the same sender, whatever capacity
     * they ask for.
     *
     * @param capacity of the sender's ring, in bytes: a power of two, at least 4096. The longest message is a little
     *                 shorter than an eighth of it: see {@link ChannelSender#maxLength}.
     * @throws IllegalArgumentException when {@code capacity} is not such a number.
     */
    ChannelSender sender(int capacity);
}
