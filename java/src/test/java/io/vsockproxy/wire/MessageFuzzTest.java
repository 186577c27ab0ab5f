/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.wire;

import com.code_intelligence.jazzer.junit.FuzzTest;
import io.vsockproxy.testing.GoldenFrame;
import java.util.HexFormat;
import java.util.Random;
import java.util.stream.Stream;
import org.agrona.concurrent.UnsafeBuffer;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Fuzzed bodies: the decoder must agree with protobuf-java, and {@link BlobPrefix}, which reads incomplete frames, with
 * the decoder.
 */
class MessageFuzzTest {
    private static final int ODD_SEEDS = 40;

    private final Differential differential = new Differential();
    private final MessageDecoder decoder = new MessageDecoder(RandomMessages.MAX_DESCRIPTORS);
    private final BlobPrefix prefix = new BlobPrefix();

    /** The golden frames' bodies, and messages of every command in encodings that no encoder makes. */
    static Stream<Arguments> bodies() {
        final Random random = new Random(ODD_SEEDS);
        final RandomMessages messages = new RandomMessages(random);
        final OddEncoder encoder = new OddEncoder(random);
        return Stream.concat(
            GoldenFrame.all().stream().map(GoldenFrame::body),
            Stream.generate(() -> encoder.encode(messages.next())).filter(body -> body.length < 500).limit(ODD_SEEDS))
            .map(body -> Arguments.of((Object) body));
    }

    @MethodSource("bodies")
    @FuzzTest(maxDuration = "")
    void shouldAgreeWithProtobufOnAnyBody(final byte[] body) {
        if (body.length < Differential.MAX_BODY) {
            differential.accepts(body);
            checkPrefixes(new UnsafeBuffer(Reference.frame(body)));
        }
    }

    /** What is seen in the first bytes of a frame stays true as more come, and is what the decoder says in the end. */
    private void checkPrefixes(final UnsafeBuffer frame) {
        final int length = frame.capacity();
        final boolean isWhole = prefix.wrap(frame, 0, length);
        final int command = prefix.command();
        final long subject = prefix.handle() + prefix.cookie();
        final int blobOffset = prefix.blobOffset();
        final long blobLength = prefix.blobLength();
        if (isWhole) {
            decoder.wrap(frame, FrameDescriptor.SIZE_LENGTH, length - FrameDescriptor.SIZE_LENGTH);
            require(
                decoder.command() == command && decoder.handle() + decoder.cookie() == subject
                    && decoder.descriptorCount() == 0 && decoder.errorCode() == 0
                    && decoder.blobLength() == blobLength
                    && (blobLength == 0 || decoder.blobOffset() == blobOffset),
                "the decoder differs", frame, length);
        }
        for (int available = 0; available < length; available++) {
            final boolean isSeen = prefix.wrap(frame, 0, available);
            require(isSeen == (isWhole && available >= blobOffset), "seen=" + isSeen, frame, available);
            require(
                !isSeen || (prefix.command() == command && prefix.handle() + prefix.cookie() == subject
                    && prefix.blobOffset() == blobOffset && prefix.blobLength() == blobLength),
                "it changes", frame, available);
        }
    }

    private static void require(
        final boolean condition, final String what, final UnsafeBuffer frame, final int available) {
        if (!condition) {
            throw new AssertionError(what + ", available=" + available + ", frame="
                + HexFormat.of().formatHex(frame.byteArray()));
        }
    }
}
