/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.channel;

import org.agrona.DirectBuffer;

/**
 * What a component does with a {@link Channel}. All methods are called on the engine's thread, and must not block.
 *
 * <p>Of {@link #onConnected} and {@link #onConnectFailed} exactly one is called, once. After the former, {@link
 * #onClosed} is called exactly once, last. What any of these methods throws, Errors included, goes to the error handler
 * and resets the channel (EIO); nothing else is affected.
 *
 * <p>An {@code errno} is one of Linux's positive numbers; {@link io.vsockproxy.posix.Errno} names them.
 */
public interface ChannelHandler {
    /**
     * Whether received stream sockets are to become channels ({@link PassedDescriptors#takeChannel}) instead of
     * descriptors ({@link PassedDescriptors#take}). Asked once, before {@link #onConnected}. It is not asked of the
     * handlers of channels that were taken in this way: sockets received on those are channels too.
     */
    default boolean socketsAsChannels() {
        return false;
    }

    /** The channel is open: both ends may send. */
    default void onConnected(final Channel channel) {
    }

    /**
     * The connection could not be made; there is no channel.
     *
     * @param errno EACCES: the other side does not allow that path; ECONNREFUSED, ENOENT: nobody listens there;
     *              ETIMEDOUT: nobody accepted in time; EAGAIN: too many connects or handles at once; ENOTCONN: no peer
     *              is connected; ECONNABORTED: the session ended first; or another errno for which the other side could
     *              not make the connection, such as EMFILE or ENOMEM.
     */
    default void onConnectFailed(final int errno) {
    }

    /**
     * Bytes have been received.
     *
     * @param buffer      contains the bytes where they were received or kept; valid only until this method returns.
     * @param offset      of the first byte in the buffer.
     * @param length      how many bytes; 0 only for descriptors that came without a byte.
     * @param descriptors that came with the first of the bytes. Those not taken by the time that byte is taken are
     *                    closed.
     * @return how many bytes are taken, counted from the first. Fewer than {@code length} pauses the channel: the rest
     *     is kept and passed again, ahead of anything newer, after {@link Channel#resume}. Taken bytes are acknowledged
     *     to the sender, so a component that takes only what it can deal with slows the sender down in time.
     */
    int onData(Channel channel, DirectBuffer buffer, int offset, int length, PassedDescriptors descriptors);

    /** {@link Channel#offer} or {@link Channel#tryClaim} has returned WOULD_BLOCK, and is worth trying again. */
    default void onWritable(final Channel channel) {
    }

    /**
     * The other side will send no more; everything it sent has been passed to {@link #onData}. This side may still
     * send.
     */
    default void onInputEnded(final Channel channel) {
    }

    /**
     * The channel is over.
     *
     * @param errno 0: closed in order, by either side; otherwise the reason that either side gave for a reset, or
     *              ECONNABORTED: the session has ended, or the engine had to close the channel and has logged why.
     */
    default void onClosed(final Channel channel, final int errno) {
    }
}
