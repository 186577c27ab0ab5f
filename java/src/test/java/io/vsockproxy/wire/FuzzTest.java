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
 * Bodies that nobody would think of: whatever protobuf-java makes of them, the decoder must.
 */
class FuzzTest {
    private static final int MUTATIONS = 200_000;
    private static final long MAX_DURATION_NS = 60_000_000_000L;

    /** What varints, tags and lengths are made of. */
    private static final byte[] LIKELY = {
        0, 1, 2, 3, 4, 5, 8, 0x0A, 0x0B, 0x0C, 0x10, 0x12, 0x1A, 0x22, 0x2A, 0x32, 0x3A, 0x42, 0x4A, 0x52, 0x5A, 0x62,
        0x7F, (byte) 0x80, (byte) 0x81, (byte) 0xFE, (byte) 0xFF,
    };

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
    void shouldAgreeWithProtobufOnMutatedMessages() {
        final Random random = Seeds.random("mutations");
        final RandomMessages messages = new RandomMessages(random);
        final OddEncoder encoder = new OddEncoder(random);
        final long deadlineNs = System.nanoTime() + MAX_DURATION_NS;
        int tried = 0;
        int accepted = 0;
        for (; tried < MUTATIONS && System.nanoTime() - deadlineNs < 0; tried++) {
            byte[] body = random.nextBoolean() ? messages.next().toByteArray() : encoder.encode(messages.next());
            for (int i = 1 + random.nextInt(4); i > 0; i--) {
                body = mutate(random, body, messages, encoder);
            }
            accepted += differential.accepts(body) ? 1 : 0;
        }
        System.out.println("mutations: tried=" + tried + ", accepted=" + accepted);
        assertTrue(accepted > tried / 10 && accepted < tried * 9 / 10, "accepted=" + accepted + ", tried=" + tried);
    }

    @Test
    void shouldAgreeWithProtobufOnShortRandomBytes() {
        final Random random = Seeds.random("short bodies");
        for (int i = 0; i < 100_000; i++) {
            final byte[] body = new byte[random.nextInt(14)];
            for (int j = 0; j < body.length; j++) {
                body[j] = LIKELY[random.nextInt(LIKELY.length)];
            }
            differential.accepts(body);
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

    private static byte[] mutate(
        final Random random, final byte[] body, final RandomMessages messages, final OddEncoder encoder) {
        final int at = body.length == 0 ? 0 : random.nextInt(Math.min(body.length, 64));
        switch (random.nextInt(9)) {
            case 0 -> {
                return Arrays.copyOf(body, random.nextInt(body.length + 1));
            }
            case 1 -> {
                return splice(body, at, Math.min(body.length, at + 1 + random.nextInt(4)), new byte[0]);
            }
            case 2 -> {
                final int to = Math.min(body.length, at + random.nextInt(20));
                return splice(body, at, at, Arrays.copyOfRange(body, at, to));
            }
            case 3 -> {
                return splice(body, at, at, encoder.unknownField(0));
            }
            case 4 -> {
                return splice(body, at, at, new byte[] {LIKELY[random.nextInt(LIKELY.length)]});
            }
            case 5 -> {
                return splice(body, body.length, body.length, messages.next().toByteArray());
            }
            case 6 -> {
                return splice(body, 0, 0, encoder.encode(messages.next()));
            }
            default -> {
                if (body.length > 0) {
                    body[at] = random.nextBoolean()
                        ? LIKELY[random.nextInt(LIKELY.length)]
                        : (byte) (body[at] ^ (1 << random.nextInt(8)));
                }
                return body;
            }
        }
    }

    private static byte[] splice(final byte[] body, final int from, final int to, final byte[] insert) {
        final byte[] result = Arrays.copyOf(body, body.length - (to - from) + insert.length);
        System.arraycopy(insert, 0, result, from, insert.length);
        System.arraycopy(body, to, result, from + insert.length, body.length - to);
        return result;
    }
}
