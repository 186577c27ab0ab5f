/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.testing;

import com.google.protobuf.InvalidProtocolBufferException;
import io.vsockproxy.posix.Constants;
import io.vsockproxy.posix.Errno;
import io.vsockproxy.posix.PosixException;
import io.vsockproxy.proto.VSockMessage;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.Deque;

/**
 * Reads frames from a link with protobuf's own classes, and keeps the descriptors that come with them.
 */
final class FrameReader implements AutoCloseable {
    private final Endpoint link;
    private final Deque<Endpoint> descriptors = new ArrayDeque<>();
    private byte[] unread = new byte[0];

    /** The link stays the caller's. */
    FrameReader(final Endpoint link) {
        this.link = link;
    }

    /** Waits for the next frame's message; null at the end of the link. */
    VSockMessage next() {
        VSockMessage message = take();
        while (message == null && fill()) {
            message = take();
        }
        return message;
    }

    /** Waits for the end of the link, and drops what comes before. */
    void skipToEnd() {
        boolean more = true;
        while (more) {
            unread = new byte[0];
            more = fill();
        }
    }

    /** How many bytes of an incomplete frame have been read. */
    int unreadLength() {
        return unread.length;
    }

    /** The next descriptor that has ridden in; the caller's. */
    Endpoint takeDescriptor() {
        return descriptors.remove();
    }

    boolean hasDescriptors() {
        return !descriptors.isEmpty();
    }

    /** Closes the descriptors that nobody has taken. */
    @Override
    public void close() {
        descriptors.forEach(Endpoint::close);
        descriptors.clear();
    }

    private VSockMessage take() {
        if (unread.length < Long.BYTES) {
            return null;
        }
        final long length = ByteBuffer.wrap(unread).order(ByteOrder.LITTLE_ENDIAN).getLong();
        if (unread.length - Long.BYTES < length) {
            return null;
        }
        try {
            final int end = Long.BYTES + (int) length;
            final VSockMessage message = VSockMessage.parseFrom(Arrays.copyOfRange(unread, Long.BYTES, end));
            unread = Arrays.copyOfRange(unread, end, unread.length);
            return message;
        } catch (final InvalidProtocolBufferException e) {
            throw new AssertionError(e);
        }
    }

    private boolean fill() {
        final Received received;
        try {
            link.await(Constants.EPOLLIN, "something from the proxy");
            received = link.receive();
        } catch (final PosixException e) {
            if (e.errno() == Errno.ECONNRESET) {
                return false;
            }
            throw e;
        }
        descriptors.addAll(received.descriptors());
        final int before = unread.length;
        unread = Arrays.copyOf(unread, before + received.bytes().length);
        System.arraycopy(received.bytes(), 0, unread, before, received.bytes().length);
        return received.bytes().length > 0;
    }
}
