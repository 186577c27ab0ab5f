/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.testing;

import static org.junit.jupiter.api.Assertions.fail;

import com.google.protobuf.InvalidProtocolBufferException;
import io.vsockproxy.LinkAddress;
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
 * The other side of a proxy's link, written against the protocol and protobuf's own classes, that says whatever a test
 * wants said.
 */
public final class RawPeer implements AutoCloseable {
    private final Endpoint link;
    private final Deque<Endpoint> descriptors = new ArrayDeque<>();
    private byte[] unread = new byte[0];

    private RawPeer(final Endpoint link) {
        this.link = link;
    }

    /** A guest of the host that listens on {@code address}. */
    public static RawPeer guestOf(final LinkAddress address) {
        return new RawPeer(Endpoint.connect(address));
    }

    /** The host of a guest that connects to {@code listening}, which stays the caller's. */
    public static RawPeer hostOf(final Endpoint listening) {
        return new RawPeer(listening.accept());
    }

    /** The peer at the other end of a link; takes ownership of {@code link}. */
    public static RawPeer over(final Endpoint link) {
        return new RawPeer(link);
    }

    /** The connection itself. */
    public Endpoint link() {
        return link;
    }

    /** The bytes of one frame. */
    public static byte[] frame(final VSockMessage message) {
        final byte[] body = message.toByteArray();
        return ByteBuffer.allocate(Long.BYTES + body.length).order(ByteOrder.LITTLE_ENDIAN)
            .putLong(body.length).put(body).array();
    }

    /** The bytes of a frame with any body. */
    public static byte[] frame(final int... body) {
        final ByteBuffer bytes = ByteBuffer.allocate(Long.BYTES + body.length).order(ByteOrder.LITTLE_ENDIAN)
            .putLong(body.length);
        for (final int b : body) {
            bytes.put((byte) b);
        }
        return bytes.array();
    }

    /** The frames of {@code messages}, one after the other. */
    public static byte[] frames(final VSockMessage... messages) {
        final byte[][] frames = Arrays.stream(messages).map(RawPeer::frame).toArray(byte[][]::new);
        final ByteBuffer all = ByteBuffer.allocate(Arrays.stream(frames).mapToInt(frame -> frame.length).sum());
        Arrays.stream(frames).forEach(all::put);
        return all.array();
    }

    /** Sends one frame; the descriptors, which stay the caller's, ride on its first byte. */
    public void send(final VSockMessage message, final Endpoint... riding) {
        link.send(frame(message), riding);
    }

    /** Sends bytes as they are. */
    public void send(final byte[] bytes) {
        link.send(bytes);
    }

    /** The next frame's message. */
    public VSockMessage receive() {
        while (true) {
            final VSockMessage message = takeMessage();
            // As every implementation of the protocol, this one ignores a Close of handle 0.
            if (message != null && !(message.hasClose() && message.getClose().getHandle() == 0)) {
                return message;
            }
            if (message == null && !fill()) {
                fail("the proxy closed the link where a message was expected, with " + unread.length
                    + " bytes of it there");
            }
        }
    }

    /** The next descriptor that has ridden in; the caller's. */
    public Endpoint takeDescriptor() {
        return descriptors.remove();
    }

    /** Whether descriptors have ridden in that nobody has taken. */
    public boolean hasDescriptors() {
        return !descriptors.isEmpty();
    }

    /** Waits for the proxy to close the link; what it still says is dropped. */
    public void expectEnd() {
        boolean more = true;
        while (more) {
            unread = new byte[0];
            more = fill();
        }
    }

    /** Closes the link and whatever has ridden in. */
    @Override
    public void close() {
        link.close();
        descriptors.forEach(Endpoint::close);
        descriptors.clear();
    }

    private VSockMessage takeMessage() {
        if (unread.length < Long.BYTES) {
            return null;
        }
        final long length = ByteBuffer.wrap(unread).order(ByteOrder.LITTLE_ENDIAN).getLong();
        if (unread.length - Long.BYTES < length) {
            return null;
        }
        try {
            final int end = Long.BYTES + (int) length;
            final VSockMessage message =
                VSockMessage.parseFrom(Arrays.copyOfRange(unread, Long.BYTES, end));
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
