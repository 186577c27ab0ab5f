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
import io.vsockproxy.testing.Seeds;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.Random;
import org.agrona.concurrent.UnsafeBuffer;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Every flyweight against protobuf-java, in both directions.
 */
class RandomMessagesTest {
    private static final int MESSAGES = 2_000;

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12})
    void shouldWriteTheBytesThatProtobufWrites(final int command) throws InvalidProtocolBufferException {
        final RandomMessages messages = new RandomMessages(Seeds.random(Command.name(command)));
        for (int i = 0; i < MESSAGES; i++) {
            final VSockMessage message = messages.next(command);
            final byte[] expected = Reference.frame(message);
            final byte[] actual = FlyweightEncoder.frame(message);
            if (command == Command.PWRITE_REQUEST) {
                assertEquals(expected.length, actual.length);
                assertArrayEquals(
                    Arrays.copyOf(expected, FrameDescriptor.SIZE_LENGTH),
                    Arrays.copyOf(actual, FrameDescriptor.SIZE_LENGTH));
                assertEquals(message, VSockMessage.parseFrom(
                    Arrays.copyOfRange(actual, FrameDescriptor.SIZE_LENGTH, actual.length)));
            } else {
                assertArrayEquals(expected, actual, message::toString);
            }
            final boolean isControl = command != Command.DATA && command != Command.CONNECT_REQUEST
                && command != Command.PREAD_RESPONSE && command != Command.PWRITE_REQUEST;
            assertTrue(!isControl || actual.length <= MessageEncoder.MAX_CONTROL_LENGTH);
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12})
    void shouldReadTheBytesThatProtobufWrites(final int command) {
        final Random random = Seeds.random(Command.name(command));
        final RandomMessages messages = new RandomMessages(random);
        final MessageDecoder decoder = new MessageDecoder(RandomMessages.MAX_DESCRIPTORS);
        for (int i = 0; i < MESSAGES; i++) {
            final VSockMessage message = messages.next(command);
            final byte[] body = message.toByteArray();
            final int offset = random.nextInt(20);
            final int capacity = offset + body.length + random.nextInt(20);
            final UnsafeBuffer buffer = random.nextBoolean()
                ? new UnsafeBuffer(new byte[capacity + 3], 3, capacity)
                : new UnsafeBuffer(ByteBuffer.allocateDirect(capacity));
            buffer.putBytes(offset, body);
            assertEquals(message, Reference.message(decoder.wrap(buffer, offset, body.length)));
        }
    }
}
