/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.channel;

import io.vsockproxy.posix.OwnedFd;

/**
 * Descriptors that came to a channel, in the order in which they were sent. Whoever takes one owns it; those that
 * nobody has taken are closed after the callback in which their first byte was taken.
 *
 * <p>To be used during {@link ChannelHandler#onData} only. An index is 0 to {@link #count} - 1, and any other an {@link
 * IndexOutOfBoundsException}.
 */
public interface PassedDescriptors {
    /** How many came; 0 mostly. */
    int count();

    /** What the original on the other side is. */
    DescriptorClass kind(int index);

    /**
     * Takes a descriptor that is no regular file: one end of a socket pair, an end of a pipe, or, on a unix-socket
     * link, something else itself.
     *
     * @return the caller's, close-on-exec.
     * @throws IllegalStateException when it has been taken, is a regular file, or is a channel.
     */
    OwnedFd take(int index);

    /**
     * Takes a regular file, which stays on the other side and needs no mount here.
     *
     * @return the caller's to close.
     * @throws IllegalStateException when it has been taken, or is no regular file.
     */
    RemoteFile takeFile(int index);

    /**
     * Takes a stream socket as a channel to whoever has its other end, with no socket here: what comes on it lies in
     * the inbound buffer, what is offered goes to the link, and who takes nothing stops that sender. Only of a channel
     * whose handler has said {@link ChannelHandler#socketsAsChannels}.
     *
     * @param handler has the channel from now on, to close as any other. It is told {@link
     *                ChannelHandler#onConnected} before this returns, and what has come already after the callback.
     * @throws IllegalStateException when it has been taken, or is no such socket; or while a claim is open.
     */
    void takeChannel(int index, ChannelHandler handler);
}
