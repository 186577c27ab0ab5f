/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.wire;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.vsockproxy.posix.FileAttributes;
import io.vsockproxy.testing.Seeds;
import java.util.HexFormat;
import java.util.Random;
import org.agrona.concurrent.UnsafeBuffer;
import org.junit.jupiter.api.Test;

/**
 * Golden bytes and corner cases of the headers that are written backwards; {@link RandomMessagesTest} has the rest.
 */
class HeadersTest {
    private final UnsafeBuffer buffer = new UnsafeBuffer(new byte[256]);

    @Test
    void shouldEndDataHeaderWhereTheBlobStarts() {
        buffer.setMemory(0, 256, (byte) 0xEE);
        final int start = DataHeader.encodeBefore(buffer, 64, 7, 5, 0);
        assertEquals(64 - 14, start);
        assertEquals("0b0000000000000012090807" + "1205", hex(start, 64));
        assertEquals((byte) 0xEE, buffer.getByte(start - 1));
        assertEquals((byte) 0xEE, buffer.getByte(64));
    }

    @Test
    void shouldCountTrailingFieldsIntoTheLengths() {
        final int trailingLength =
            MessageEncoder.putTransferredDescriptor(buffer, 66, DescriptorType.SOCKET_STREAM, -8, 2, 0) - 66;
        buffer.putBytes(64, new byte[] {0, (byte) 0xFF});
        final int start = DataHeader.encodeBefore(buffer, 64, -7, 2, trailingLength);
        assertEquals(
            "2000000000000000121e08f9ffffffffffffffff01120200ff1a0d10f8ffffffffffffffff012802",
            hex(start, 66 + trailingLength));
    }

    @Test
    void shouldOmitAnEmptyBlobAndStillEndAtItsOffset() {
        assertEquals("040000000000000012020807", hex(DataHeader.encodeBefore(buffer, 64, 7, 0, 0), 64));
        assertEquals("040000000000000032020802", hex(PreadResponseHeader.encodeBefore(buffer, 64, 2, 0), 64));
        assertEquals(
            "08000000000000003a060803100a2005", hex(PwriteRequestHeader.encodeBefore(buffer, 64, 3, 10, 5, 0), 64));
    }

    @Test
    void shouldPutThePwriteOffsetBeforeTheBlob() {
        buffer.putStringWithoutLengthAscii(64, "xyz");
        assertEquals(
            "16000000000000003a14080310fbffffffffffffffff01200a1a0378797a",
            hex(PwriteRequestHeader.encodeBefore(buffer, 64, 3, -5, 10, 3), 67));
    }

    @Test
    void shouldNeedNoMoreThanTheMaximum() {
        final UnsafeBuffer data = new UnsafeBuffer(new byte[DataHeader.MAX_LENGTH]);
        assertEquals(0, DataHeader.encodeBefore(data, data.capacity(), -1, Integer.MAX_VALUE, Integer.MAX_VALUE));
        final UnsafeBuffer pread = new UnsafeBuffer(new byte[PreadResponseHeader.MAX_LENGTH]);
        assertEquals(0, PreadResponseHeader.encodeBefore(pread, pread.capacity(), -1, Integer.MAX_VALUE));
        final UnsafeBuffer pwrite = new UnsafeBuffer(new byte[PwriteRequestHeader.MAX_LENGTH]);
        assertEquals(0, PwriteRequestHeader.encodeBefore(pwrite, pwrite.capacity(), -1, -1, -1, Integer.MAX_VALUE));
    }

    @Test
    void shouldReachTheLongestControlFrame() {
        final UnsafeBuffer exact = new UnsafeBuffer(new byte[MessageEncoder.MAX_CONTROL_LENGTH]);
        final FileAttributes longest = new FileAttributes().set(-1, -1, -1, -1, -1, -1, -1);
        assertEquals(MessageEncoder.MAX_CONTROL_LENGTH, MessageEncoder.fstatResponse(exact, 0, -1, longest));
    }

    @Test
    void shouldKnowLengthsBeforeWriting() {
        final Random random = Seeds.random("lengths");
        final RandomMessages values = new RandomMessages(random);
        for (int i = 0; i < 10_000; i++) {
            final long handle = values.integer();
            final UnsafeBuffer path = new UnsafeBuffer(new byte[random.nextInt(150)]);
            final int earlyLength = random.nextInt(1 + ConnectRequestHeader.MAX_EARLY_LENGTH);
            assertEquals(
                ConnectRequestHeader.length(handle, path.capacity(), earlyLength),
                ConnectRequestHeader.encode(buffer, 1, handle, path, earlyLength));
        }
    }

    @Test
    void shouldRefuseNegativeLengths() {
        final UnsafeBuffer none = new UnsafeBuffer(new byte[0]);
        assertThrows(IllegalArgumentException.class, () -> DataHeader.encodeBefore(buffer, 64, 1, -1, 0));
        assertThrows(IllegalArgumentException.class, () -> DataHeader.encodeBefore(buffer, 64, 1, 0, -1));
        assertThrows(IllegalArgumentException.class, () -> PreadResponseHeader.encodeBefore(buffer, 64, 1, -1));
        assertThrows(IllegalArgumentException.class, () -> PwriteRequestHeader.encodeBefore(buffer, 64, 1, 1, 1, -1));
        assertThrows(IllegalArgumentException.class, () -> ConnectRequestHeader.encode(buffer, 64, 1, none, -1));
    }

    @Test
    void shouldRefuseToWriteInFrontOfTheBuffer() {
        assertThrows(IndexOutOfBoundsException.class, () -> DataHeader.encodeBefore(buffer, 13, 7, 5, 0));
    }

    @Test
    void shouldReadAndWriteTheSizeLittleEndian() {
        FrameDescriptor.bodyLength(buffer, 3, 0x0102030405060708L);
        assertArrayEquals(new byte[] {8, 7, 6, 5, 4, 3, 2, 1}, Reference.bytes(buffer, 3, 8));
        assertEquals(0x0102030405060708L, FrameDescriptor.bodyLength(buffer, 3));
    }

    private String hex(final int from, final int to) {
        return HexFormat.of().formatHex(buffer.byteArray(), from, to);
    }
}
