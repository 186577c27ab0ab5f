/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.testing;

import static org.junit.jupiter.api.Assertions.fail;

import io.vsockproxy.LinkAddress;
import io.vsockproxy.proto.VSockMessage;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;

/**
 * The other side of a proxy's link, implemented with protobuf's own classes, which can send anything that a test needs.
 */
public final class RawPeer implements AutoCloseable {
    private final Endpoint link;
    private final FrameReader frames;

    private RawPeer(final Endpoint link) {
        this.link = link;
        frames = new FrameReader(link);
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
            final VSockMessage message = frames.next();
            if (message == null) {
                fail("the proxy closed the link where a message was expected, with " + frames.unreadLength()
                    + " bytes of it there");
            }
            // As every implementation of the protocol, this one ignores a Close of handle 0.
            if (!message.hasClose() || message.getClose().getHandle() != 0) {
                return message;
            }
        }
    }

    /** The next descriptor that has ridden in; the caller's. */
    public Endpoint takeDescriptor() {
        return frames.takeDescriptor();
    }

    /** Whether descriptors have ridden in that nobody has taken. */
    public boolean hasDescriptors() {
        return frames.hasDescriptors();
    }

    /** Waits for the proxy to close the link; what it still says is dropped. */
    public void expectEnd() {
        frames.skipToEnd();
    }

    /** Closes the link and whatever has ridden in. */
    @Override
    public void close() {
        link.close();
        frames.close();
    }
}
