/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.wire;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.protobuf.InvalidProtocolBufferException;
import io.vsockproxy.proto.VSockMessage;
import io.vsockproxy.testing.GoldenFrame;
import java.util.List;
import org.agrona.concurrent.UnsafeBuffer;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Bytes that the C++ protobuf compiler made, in {@code frames.tsv}: a message's text form and its frame in hex.
 */
class GoldenFramesTest {
    @ParameterizedTest
    @MethodSource("vectors")
    void shouldDecodeEveryGoldenFrame(final GoldenFrame vector) {
        final UnsafeBuffer frame = new UnsafeBuffer(vector.frame());
        final int bodyLength = vector.frame().length - FrameDescriptor.SIZE_LENGTH;
        assertEquals(bodyLength, FrameDescriptor.bodyLength(frame, 0));

        final MessageDecoder decoder = new MessageDecoder(6).wrap(frame, FrameDescriptor.SIZE_LENGTH, bodyLength);
        assertEquals(vector.message(), Reference.message(decoder));
        assertEquals(vector.message().getCommandCase().getNumber(), decoder.command());
    }

    @ParameterizedTest
    @MethodSource("vectors")
    void shouldEncodeEveryGoldenFrame(final GoldenFrame vector) throws InvalidProtocolBufferException {
        final byte[] encoded = FlyweightEncoder.frame(vector.message());
        if (vector.message().hasPwriteRequest()) {
            // Our encoders write fields in another order than the canonical one; the fields and the length are the
            // same.
            assertEquals(vector.frame().length, encoded.length);
            final byte[] body = new byte[encoded.length - FrameDescriptor.SIZE_LENGTH];
            System.arraycopy(encoded, FrameDescriptor.SIZE_LENGTH, body, 0, body.length);
            assertEquals(vector.message(), VSockMessage.parseFrom(body));
        } else {
            assertArrayEquals(vector.frame(), encoded);
        }
    }

    static List<GoldenFrame> vectors() {
        final List<GoldenFrame> vectors = GoldenFrame.all();
        assertTrue(vectors.size() >= 21, () -> "vectors: " + vectors.size());
        return vectors;
    }
}
