/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.session;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.vsockproxy.channel.Channel;
import io.vsockproxy.channel.ChannelHandler;
import io.vsockproxy.channel.DescriptorClass;
import io.vsockproxy.channel.PassedDescriptors;
import io.vsockproxy.channel.RemoteFile;
import org.agrona.DirectBuffer;
import org.agrona.concurrent.UnsafeBuffer;

/**
 * A component's end of a channel: takes what comes, and checks that it is told things in order.
 */
final class OrderlyComponent implements ChannelHandler {
    /** Null until it is connected. */
    Channel channel;
    /** Of the socket that has come on it last. */
    OrderlyComponent passed;
    RemoteFile file;
    /** Whether it leaves everything to wait. */
    boolean takesNothing;
    /** How many bytes it has taken. */
    long takenLength;
    private boolean inputEnded;
    private boolean closed;

    @Override
    public boolean socketsAsChannels() {
        return true;
    }

    @Override
    public void onConnected(final Channel newChannel) {
        check(channel == null, "connected twice");
        channel = newChannel;
    }

    @Override
    public int onData(
        final Channel from, final DirectBuffer buffer, final int offset, final int length,
        final PassedDescriptors descriptors) {
        check(channel == from && !inputEnded && !closed, "data after the end, or before the beginning");
        if (takesNothing) {
            return 0;
        }
        for (int i = 0; i < descriptors.count(); i++) {
            if (descriptors.kind(i) == DescriptorClass.REGULAR_FILE) {
                file = descriptors.takeFile(i);
            } else if (descriptors.kind(i) == DescriptorClass.STREAM_SOCKET) {
                passed = new OrderlyComponent();
                descriptors.takeChannel(i, passed);
            }
        }
        takenLength += length;
        return length;
    }

    @Override
    public void onWritable(final Channel from) {
        check(channel == from && !closed, "writable after the end");
    }

    @Override
    public void onInputEnded(final Channel from) {
        check(channel == from && !inputEnded && !closed, "the input's end after the end");
        inputEnded = true;
    }

    @Override
    public void onClosed(final Channel from, final int errno) {
        check(channel == from && !closed, "closed twice");
        closed = true;
    }

    private static void check(final boolean condition, final String what) {
        if (!condition) {
            throw new IllegalStateException(what);
        }
    }

    /** Whoever has been told of a beginning has been told of the end. */
    void expectEnd() {
        if (channel != null) {
            assertTrue(closed, "a component has not been told of the end");
            assertEquals(Channel.CLOSED, channel.offer(new UnsafeBuffer(new byte[1]), 0, 1));
        }
        if (passed != null) {
            passed.expectEnd();
        }
        if (file != null) {
            file.close();
        }
    }
}
