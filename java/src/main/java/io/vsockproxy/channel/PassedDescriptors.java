/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.channel;

import io.vsockproxy.posix.OwnedFd;

/**
 * Descriptors received on a channel, in the order in which they were sent. Whoever takes one owns it. Those that nobody
 * has taken are closed after the callback that takes the byte they came with.
 *
 * <p>To be used only during {@link ChannelHandler#onData}, on the engine's thread. An index is 0 to {@link #count} - 1;
 * for any other, methods throw {@link IndexOutOfBoundsException}.
 */
public interface PassedDescriptors {
    /** How many there are; mostly 0. */
    int count();

    /** What the original on the other side is. */
    DescriptorClass kind(int index);

    /**
     * Takes a descriptor other than a regular file: one end of a socket pair, one end of a pipe, or, for a {@link
     * DescriptorClass#OTHER}, the original itself.
     *
     * @return the descriptor, close-on-exec; the caller owns it.
     * @throws IllegalStateException when it has been taken already, is a regular file, or is a channel.
     */
    OwnedFd take(int index);

    /**
     * Takes a regular file. The file stays on the other side, and no mount is needed here.
     *
     * @return the file, which the caller must close.
     * @throws IllegalStateException when it has been taken already, or is not a regular file.
     */
    RemoteFile takeFile(int index);

    /**
     * Takes a stream socket as a channel to whoever has its other end. There is no socket on this side: what arrives is
     * passed where it lies in the inbound buffer, and what is offered goes straight to the link. Only on channels whose
     * handler asked for {@link ChannelHandler#socketsAsChannels}.
     *
     * @param handler handles the channel from now on, and must close it like any other. Its {@link
     *                ChannelHandler#onConnected} is called before this returns; what has arrived already is passed to
     *                it after the current callback.
     * @throws IllegalStateException when it has been taken already, or is not such a socket, or while a claim is open.
     */
    void takeChannel(int index, ChannelHandler handler);
}
