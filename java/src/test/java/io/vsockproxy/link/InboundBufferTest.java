/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.link;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.vsockproxy.testing.Seeds;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Random;
import org.agrona.concurrent.UnsafeBuffer;
import org.junit.jupiter.api.Test;

class InboundBufferTest {
    private static final int WINDOW_LENGTH = 4096;
    private static final int MAX_FRAME_LENGTH = 20_000;
    private static final int OPERATIONS = 100_000;

    @Test
    void shouldGiveWhatWasReceivedInOrder() {
        final Random random = Seeds.random("shouldGiveWhatWasReceivedInOrder");
        final Deque<Byte> model = new ArrayDeque<>();
        int required = 0;
        try (InboundBuffer inbound = new InboundBuffer(WINDOW_LENGTH, MAX_FRAME_LENGTH)) {
            for (int i = 0; i < OPERATIONS; i++) {
                if (inbound.available() < required) {
                    // As for a frame that must be received as a whole.
                    inbound.require(required);
                    receive(random, inbound, model);
                } else {
                    required = 0;
                    switch (random.nextInt(4)) {
                        case 0 -> {
                            if (inbound.available() < WINDOW_LENGTH) {
                                receive(random, inbound, model);
                            }
                        }
                        case 1 -> required = 1 + random.nextInt(MAX_FRAME_LENGTH);
                        default -> consume(inbound, model, random.nextInt(inbound.available() + 1));
                    }
                }
                assertEquals(model.size(), inbound.available());
            }
            consume(inbound, model, inbound.available());
            assertEquals(WINDOW_LENGTH, inbound.room());
        }
    }

    @Test
    void shouldHaveRoomForExactlyWhatIsRequired() {
        try (InboundBuffer inbound = new InboundBuffer(WINDOW_LENGTH, MAX_FRAME_LENGTH)) {
            fill(inbound, WINDOW_LENGTH);
            inbound.consume(WINDOW_LENGTH - 100);
            inbound.require(MAX_FRAME_LENGTH);
            assertEquals(MAX_FRAME_LENGTH - 100, inbound.room());
            fill(inbound, MAX_FRAME_LENGTH - 100);
            assertEquals(MAX_FRAME_LENGTH, inbound.available());
            inbound.consume(MAX_FRAME_LENGTH);
            assertEquals(WINDOW_LENGTH, inbound.room());
        }
    }

    private static void receive(final Random random, final InboundBuffer inbound, final Deque<Byte> model) {
        final int room = inbound.room();
        assertTrue(room > 0, "no room, available=" + inbound.available());
        final byte[] bytes = new byte[1 + random.nextInt(room)];
        random.nextBytes(bytes);
        new UnsafeBuffer(inbound.receiveAddress(), bytes.length).putBytes(0, bytes);
        inbound.received(bytes.length);
        for (final byte b : bytes) {
            model.add(b);
        }
    }

    private static void consume(final InboundBuffer inbound, final Deque<Byte> model, final int length) {
        final byte[] expected = new byte[length];
        for (int i = 0; i < length; i++) {
            expected[i] = model.remove();
        }
        final byte[] actual = new byte[length];
        inbound.buffer().getBytes(inbound.head(), actual);
        assertArrayEquals(expected, actual);
        inbound.consume(length);
    }

    private static void fill(final InboundBuffer inbound, final int length) {
        for (int done = 0; done < length;) {
            final int part = Math.min(length - done, inbound.room());
            assertTrue(part > 0);
            inbound.received(part);
            done += part;
        }
    }
}
