/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.wire;

import com.google.protobuf.InvalidProtocolBufferException;
import io.vsockproxy.proto.VSockMessage;
import java.nio.ByteBuffer;
import java.util.HexFormat;
import org.agrona.concurrent.UnsafeBuffer;

/**
 * Gives a body to the decoder and to protobuf-java, and checks that they agree on whether it is a message and on every
 * field. The decoder gets it twice, with different bytes around it, which must make no difference.
 */
final class Differential {
    static final int MAX_BODY = 1 << 18;

    /** No fuzzed body lists more descriptors, for want of bytes. */
    private final MessageDecoder decoder = new MessageDecoder(MAX_BODY / 2);
    private final UnsafeBuffer array = new UnsafeBuffer(new byte[MAX_BODY]);
    private final UnsafeBuffer memory = new UnsafeBuffer(ByteBuffer.allocateDirect(MAX_BODY));
    private int lastMalformedAt;

    /**
     * Returns whether both accept it.
     *
     * @throws AssertionError if they differ.
     */
    boolean accepts(final byte[] body) {
        final VSockMessage first = decode(array, 0, 0x00, body);
        final int malformedAt = lastMalformedAt;
        // At the end of the buffer, and at an unaligned address.
        final VSockMessage second = decode(memory, MAX_BODY - body.length, 0xFF, body);
        final VSockMessage third = decode(memory, 3, 0x80, body);
        if (!equal(first, second) || !equal(first, third)) {
            throw new AssertionError("depends on neighbours: " + HexFormat.of().formatHex(body));
        }

        VSockMessage expected;
        try {
            expected = Reference.parse(body);
        } catch (final InvalidProtocolBufferException e) {
            expected = null;
        }
        if (equal(first, expected)) {
            return first != null;
        }
        if (first == null && isTenthByteThatProtobufJavaTakes(body, malformedAt)) {
            final byte[] mended = body.clone();
            mended[malformedAt + 9] &= 0x7F;
            return accepts(mended);
        }
        throw new AssertionError(
            "body=" + HexFormat.of().formatHex(body) + "\nours: " + first + "\nprotobuf's: " + expected);
    }

    /**
     * Where a 64-bit varint's tenth byte is odd, protobuf-java 4.36 accepts it as the last without checking its top
     * bit. For the specification, protobuf's C++ and our decoder this is malformed; with the bit cleared both must
     * agree again.
     */
    static boolean isTenthByteThatProtobufJavaTakes(final byte[] body, final int at) {
        if (at < 0 || body.length - at < Varint.MAX_LENGTH) {
            return false;
        }
        for (int i = 0; i < Varint.MAX_LENGTH; i++) {
            if (body[at + i] >= 0) {
                return false;
            }
        }
        return (body[at + 9] & 1) == 1;
    }

    private VSockMessage decode(final UnsafeBuffer buffer, final int offset, final int neighbour, final byte[] body) {
        final int from = Math.max(0, offset - 16);
        final int to = Math.min(MAX_BODY, offset + body.length + 16);
        buffer.setMemory(from, to - from, (byte) neighbour);
        buffer.putBytes(offset, body);
        lastMalformedAt = -1;
        try {
            decoder.wrap(buffer, offset, body.length);
        } catch (final MalformedMessageException e) {
            lastMalformedAt = e.bodyOffset();
            return null;
        }
        final boolean isBlobInside = decoder.blobLength() >= 0
            && decoder.blobOffset() >= offset
            && decoder.blobOffset() + decoder.blobLength() <= offset + body.length;
        if (!isBlobInside) {
            throw new AssertionError("blob outside the body: " + HexFormat.of().formatHex(body));
        }
        return Reference.message(decoder);
    }

    private static boolean equal(final VSockMessage one, final VSockMessage other) {
        return one == null ? other == null : one.equals(other);
    }
}
