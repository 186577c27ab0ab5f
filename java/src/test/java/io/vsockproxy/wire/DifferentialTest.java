/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.wire;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.protobuf.InvalidProtocolBufferException;
import io.vsockproxy.proto.VSockMessage;
import io.vsockproxy.testing.Seeds;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;

/**
 * Thousands of bodies for which the decoder must produce the same result as protobuf-java. {@link MessageFuzzTest}
 * looks for more.
 */
class DifferentialTest {
    private final Differential differential = new Differential();

    @Test
    void shouldAgreeWithProtobufOnOddEncodings() throws InvalidProtocolBufferException {
        final Random random = Seeds.random("odd encodings");
        final RandomMessages messages = new RandomMessages(random);
        final OddEncoder encoder = new OddEncoder(random);
        for (int i = 0; i < 50_000; i++) {
            final VSockMessage message = messages.next();
            final byte[] body = encoder.encode(message);
            assertTrue(differential.accepts(body));
            assertEquals(message, Reference.parse(body));
        }
    }

    @Test
    void shouldAgreeWithProtobufOnEveryBodyOfTwoBytes() {
        differential.accepts(new byte[0]);
        for (int i = 0; i < 1 << 16; i++) {
            differential.accepts(new byte[] {(byte) (i >> 8), (byte) i});
            differential.accepts(new byte[] {0x12, 0x02, (byte) (i >> 8), (byte) i});
        }
    }

    @Test
    void shouldAgreeWithProtobufWhereverAMessageIsTruncated() {
        final Random random = Seeds.random("truncations");
        final RandomMessages messages = new RandomMessages(random);
        final OddEncoder encoder = new OddEncoder(random);
        for (int i = 0; i < 1_000; i++) {
            final VSockMessage message = messages.next();
            final byte[] body = i % 2 == 0 ? message.toByteArray() : encoder.encode(message);
            for (int length = 0; length < Math.min(body.length, 300); length++) {
                final byte[] truncated = Arrays.copyOf(body, length);
                final boolean isAccepted = differential.accepts(truncated);
                assertTrue(i % 2 == 1 || !isAccepted || length == 0, () -> "accepted half of " + message);
            }
        }
    }
}
