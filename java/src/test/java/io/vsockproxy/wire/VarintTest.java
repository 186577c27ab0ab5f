/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.wire;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import com.google.protobuf.CodedOutputStream;
import io.vsockproxy.testing.Seeds;
import java.io.IOException;
import java.util.Arrays;
import java.util.Random;
import org.agrona.concurrent.UnsafeBuffer;
import org.junit.jupiter.api.Test;

class VarintTest {
    private final UnsafeBuffer buffer = new UnsafeBuffer(new byte[32]);

    @Test
    void shouldWriteGoldenBytes() {
        assertEquals(2, Varint.put(buffer, 0, 300));
        assertArrayEquals(new byte[] {(byte) 0xAC, 0x02}, Reference.bytes(buffer, 0, 2));
        assertEquals(1, Varint.put(buffer, 0, 0));
        assertEquals(0, buffer.getByte(0));
    }

    @Test
    void shouldAgreeWithProtobufAtEveryLength() throws IOException {
        for (int bits = 0; bits < Long.SIZE; bits++) {
            verify(1L << bits);
            verify((1L << bits) - 1);
            verify((1L << bits) + 1);
            verify(-1L << bits);
        }
        final Random random = Seeds.random("varints");
        for (int i = 0; i < 100_000; i++) {
            verify(random.nextLong() >>> random.nextInt(Long.SIZE));
        }
    }

    @Test
    void shouldReadLongerFormsThanNecessary() {
        for (int length = 2; length <= Varint.MAX_LENGTH; length++) {
            buffer.setMemory(0, 32, (byte) 0xFF);
            buffer.putByte(0, (byte) 0x85);
            buffer.setMemory(1, length - 2, (byte) 0x80);
            buffer.putByte(length - 1, (byte) 0);
            for (final int limit : new int[] {length, 32}) {
                assertEquals(length, end(0, limit));
                assertEquals(5, Varint.get(buffer.byteArray(), buffer.addressOffset(), 0, length));
            }
        }
    }

    @Test
    void shouldDropWhatDoesNotFitInto64Bits() {
        buffer.setMemory(0, 9, (byte) 0xFF);
        buffer.putByte(9, (byte) 0x7E);
        assertEquals(10, end(0, 10));
        assertEquals(Long.MAX_VALUE, Varint.get(buffer.byteArray(), buffer.addressOffset(), 0, 10));
    }

    @Test
    void shouldTellTruncatedFromTooLong() {
        buffer.setMemory(0, 32, (byte) 0x80);
        for (int limit = 0; limit < 10; limit++) {
            assertEquals(Varint.TRUNCATED, end(0, limit));
        }
        assertEquals(Varint.TOO_LONG, end(0, 10));
        assertEquals(Varint.TOO_LONG, end(0, 32));
    }

    private void verify(final long value) throws IOException {
        final byte[] expected = new byte[Varint.MAX_LENGTH];
        final CodedOutputStream out = CodedOutputStream.newInstance(expected);
        out.writeUInt64NoTag(value);
        final int length = out.getTotalBytesWritten();

        assertEquals(length, Varint.length(value));
        buffer.setMemory(0, 32, (byte) 0xFF);
        assertEquals(7 + length, Varint.put(buffer, 7, value));
        assertArrayEquals(Arrays.copyOf(expected, length), Reference.bytes(buffer, 7, length));
        assertEquals((byte) 0xFF, buffer.getByte(7 + length));

        assertEquals(7 + length, end(7, 7 + length));
        assertEquals(7 + length, end(7, 32));
        assertEquals(Varint.TRUNCATED, end(7, 7 + length - 1));
        assertEquals(value, Varint.get(buffer.byteArray(), buffer.addressOffset(), 7, 7 + length));
    }

    private int end(final int position, final int limit) {
        return Varint.end(buffer.byteArray(), buffer.addressOffset(), position, limit);
    }
}
