/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.channel;

import org.agrona.DirectBuffer;

/**
 * What a component does with a {@link Channel}. Called on the engine's thread, and must not block.
 *
 * <p>Of {@link #onConnected} and {@link #onConnectFailed} exactly one is called, once; after the former, {@link
 * #onClosed} is called exactly once, last. What any of these throws, an Error too, goes to the error handler, and
 * resets the channel (EIO) and nothing else.
 *
 * <p>An {@code errno} is a positive number, as Linux numbers them: {@link io.vsockproxy.posix.Errno} has them by name.
 */
public interface ChannelHandler {
    /**
     * Whether stream sockets that come are to be channels, for {@link PassedDescriptors#takeChannel}, and not
     * descriptors, for {@link PassedDescriptors#take}. Asked once, before {@link #onConnected}; of a channel that was
     * taken so, what its own handler says does not count: sockets that come on it are channels too.
     */
    default boolean socketsAsChannels() {
        return false;
    }

    /** The channel is there: both ends may send. */
    default void onConnected(final Channel channel) {
    }

    /**
     * There will be no channel.
     *
     * @param errno EACCES: the other side does not allow that path; ECONNREFUSED, ENOENT: nobody is there; ETIMEDOUT;
     *              EAGAIN: too many connects or handles at once; ENOTCONN: no peer is connected; ECONNABORTED: the
     *              session ended first.
     */
    default void onConnectFailed(final int errno) {
    }

    /**
     * Bytes have come.
     *
     * @param buffer      where they came in, or where they were kept: theirs only until this returns.
     * @param offset      of the first, in bytes from the buffer's start.
     * @param length      how many; 0 only for descriptors that came without a byte.
     * @param descriptors that came with the first of them. What is not taken when the bytes are, is closed.
     * @return how many bytes are taken, from the first on. Fewer than {@code length} pauses the channel: the rest is
     *     kept, and given again, in front of what comes later, after {@link Channel#resume}. Bytes that are taken are
     *     acknowledged to the sender, so a component that takes no more than it can deal with stops it in time.
     */
    int onData(Channel channel, DirectBuffer buffer, int offset, int length, PassedDescriptors descriptors);

    /** {@link Channel#offer} has returned WOULD_BLOCK, and may do better now. */
    default void onWritable(final Channel channel) {
    }

    /** The other side will send no more; all that it sent was given to {@link #onData}. This side still may send. */
    default void onInputEnded(final Channel channel) {
    }

    /**
     * The channel is over.
     *
     * @param errno 0: in order, by either side; the reason that either side gave for a reset; ECONNABORTED: the session
     *              has ended, or the engine had to close the channel, and has logged why.
     */
    default void onClosed(final Channel channel, final int errno) {
    }
}
