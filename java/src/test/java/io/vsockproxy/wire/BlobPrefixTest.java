/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.wire;

import static org.junit.jupiter.api.Assertions.assertDoesNotThrow;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.vsockproxy.proto.VSockMessage;
import io.vsockproxy.testing.Seeds;
import java.nio.ByteOrder;
import java.util.HexFormat;
import java.util.Random;
import org.agrona.concurrent.UnsafeBuffer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class BlobPrefixTest {
    private final BlobPrefix prefix = new BlobPrefix();
    private final MessageDecoder decoder = new MessageDecoder(RandomMessages.MAX_DESCRIPTORS);

    @Test
    void shouldReadTheHeaderOfADataMessage() {
        assertTrue(wrap("0b00000000000000 12 09 08 07 12 05"));
        assertEquals(Command.DATA, prefix.command());
        assertEquals(7, prefix.handle());
        assertEquals(0, prefix.cookie());
        assertEquals(11, prefix.bodyLength());
        assertEquals(14, prefix.blobOffset());
        assertEquals(5, prefix.blobLength());
    }

    @Test
    void shouldReadTheHeaderOfAPreadResponse() {
        assertTrue(wrap("0a00000000000000 32 08 08 01 1a 04 64"));
        assertEquals(Command.PREAD_RESPONSE, prefix.command());
        assertEquals(1, prefix.cookie());
        assertEquals(0, prefix.handle());
        assertEquals(4, prefix.blobLength());
    }

    @ParameterizedTest
    @ValueSource(strings = {
        "0d00000000000000 12 0b 08 07 12 05 68 65 6c 6c 6f 08 09", // another field after the blob
        "0d00000000000000 12 09 08 07 12 05 68 65 6c 6c 6f 6a 00", // another field after the message
        "0b00000000000000 12 09 12 05 68 65 6c 6c 6f 08 07", // the blob first
        "0d00000000000000 12 0b 08 07 08 08 12 05 68 65 6c 6c 6f", // a field more
        "0900000000000000 12 07 12 05 68 65 6c 6c 6f", // no handle
        "0d00000000000000 32 0b 08 01 10 05 1a 05 68 65 6c 6c 6f", // an error code
        "0b00000000000000 32 09 08 07 12 05 68 65 6c 6c 6f", // field 2, which is not the blob
        "0400000000000000 12 02 08 07", // no blob
        "0a00000000000000 3a 08 08 01 1a 04 64 61 74 61", // another command
        "0000000000000000 12 09 08 07 12 05 68 65 6c 6c 6f", // the next frame's bytes
        "0200000000000000 12 09 08 07 12 05 68 65 6c 6c 6f", // a frame that ends in its header
        "0b00000000000000 12 0a 08 07 12 05 68 65 6c 6c 6f", // a message longer than its frame
        "0b00000000000000 12 09 08 07 12 06 68 65 6c 6c 6f", // a blob longer than its frame
        "0b00000000000000 12 08 08 07 12 04 68 65 6c 6c 6f", // shorter ones
        "0b00000000000080 12 09 08 07 12 05 68 65 6c 6c 6f", // 2^63 and more
        "ffffffffffffffff 12 ff ff ff ff ff ff ff ff ff 01 08 07 12 ff ff ff ff ff ff ff ff ff 01",
        "fdffffffffffff7f 12 f7 ff ff ff ff ff ff ff 7f 08 07 12 f1 ff ff ff ff ff ff ff 7f",
        "0a00008000000000 12 84 80 80 80 08 08 07 12 fc ff ff ff 07", // 2^31 + 10
        "0b00000001000000 12 09 08 07 12 05 68 65 6c 6c 6f", // 2^32 + 11
        "0b00000000000000 12 80 80 80 80 80 80 80 80 80 80", // a length that does not end
    })
    void shouldLeaveEverythingElseToTheDecoder(final String hex) {
        assertFalse(wrap(hex));
        assertEquals(Command.NONE, prefix.command());
        assertEquals(0, prefix.handle());
    }

    @Test
    void shouldTakeTheLongestBodyThatProtobufCanHave() {
        assertTrue(wrap("ffffff7f00000000 12 f9 ff ff ff 07 08 07 12 f1 ff ff ff 07"));
        assertEquals(Integer.MAX_VALUE, prefix.bodyLength());
        assertEquals(Integer.MAX_VALUE - 14, prefix.blobLength());
        assertEquals(22, prefix.blobOffset());
    }

    @Test
    void shouldAgreeWithTheDecoderAtEverySplitPoint() {
        final Random random = Seeds.random("split points");
        final RandomMessages messages = new RandomMessages(random);
        final OddEncoder encoder = new OddEncoder(random);
        int early = 0;
        for (int i = 0; i < 5_000; i++) {
            final VSockMessage message =
                messages.next(random.nextBoolean() ? Command.DATA : Command.PREAD_RESPONSE);
            final byte[] frame =
                Reference.frame(random.nextInt(4) == 0 ? encoder.encode(message) : message.toByteArray());
            early += verify(frame, random) ? 1 : 0;
        }
        assertTrue(early > 1_000, "early=" + early);
    }

    @Test
    void shouldAgreeWithTheDecoderOnMutatedHeaders() {
        final Random random = Seeds.random("mutated headers");
        final RandomMessages messages = new RandomMessages(random);
        for (int i = 0; i < 50_000; i++) {
            final byte[] frame =
                Reference.frame(messages.next(random.nextBoolean() ? Command.DATA : Command.PREAD_RESPONSE));
            for (int j = random.nextInt(3); j >= 0; j--) {
                frame[random.nextInt(Math.min(frame.length, 30))] = (byte) random.nextInt();
            }
            verifyWhole(frame);
        }
    }

    @Test
    void shouldAgreeWithOurOwnHeaders() {
        final Random random = Seeds.random("headers");
        final RandomMessages values = new RandomMessages(random);
        final UnsafeBuffer buffer = new UnsafeBuffer(new byte[64]);
        for (int i = 0; i < 20_000; i++) {
            final long subject = values.integer() | 1;
            final int blobLength = 1 + (random.nextInt() >>> (2 + random.nextInt(29)));
            final boolean isData = random.nextBoolean();
            final int start = isData
                ? DataHeader.encodeBefore(buffer, 40, subject, blobLength, 0)
                : PreadResponseHeader.encodeBefore(buffer, 40, subject, blobLength);
            assertFalse(prefix.wrap(buffer, start, 40 - start - 1));
            assertTrue(prefix.wrap(buffer, start, 40 - start));
            assertEquals(subject, isData ? prefix.handle() : prefix.cookie());
            assertEquals(40, prefix.blobOffset());
            assertEquals(blobLength, prefix.blobLength());
            assertEquals(
                start + FrameDescriptor.SIZE_LENGTH + prefix.bodyLength(), prefix.blobOffset() + prefix.blobLength());
        }
    }

    @Test
    void shouldNeverThrowForBytes() {
        final Random random = Seeds.random("bytes");
        final byte[] bytes = new byte[40];
        final UnsafeBuffer buffer = new UnsafeBuffer(bytes);
        for (int i = 0; i < 200_000; i++) {
            random.nextBytes(bytes);
            bytes[8] = (byte) (random.nextBoolean() ? 0x12 : 0x32);
            if (random.nextBoolean()) {
                buffer.putLong(0, random.nextLong() >>> random.nextInt(64), ByteOrder.LITTLE_ENDIAN);
            }
            final int offset = random.nextInt(8);
            assertDoesNotThrow(() -> prefix.wrap(buffer, offset, 40 - offset));
        }
    }

    @Test
    void shouldRefuseRangesOutsideTheBuffer() {
        final UnsafeBuffer buffer = new UnsafeBuffer(new byte[16]);
        assertThrows(IndexOutOfBoundsException.class, () -> prefix.wrap(buffer, 1, 16));
        assertThrows(IndexOutOfBoundsException.class, () -> prefix.wrap(buffer, -1, 1));
        assertThrows(IndexOutOfBoundsException.class, () -> prefix.wrap(buffer, 0, -1));
        assertFalse(prefix.wrap(buffer, 16, 0));
    }

    /** Gives a frame byte by byte; returns whether the prefix was content before the end. */
    private boolean verify(final byte[] frame, final Random random) {
        final boolean isPrefix = verifyWhole(frame);
        final int blobOffset = prefix.blobOffset();
        final int step = Math.max(1, frame.length / 200);
        for (int available = 0; available <= frame.length; available += available < 60 ? 1 : step) {
            // The bytes that have not arrived are not zero, and must not be read.
            final int offset = random.nextInt(8);
            final UnsafeBuffer buffer = new UnsafeBuffer(new byte[offset + frame.length + 8]);
            buffer.setMemory(0, buffer.capacity(), (byte) (random.nextBoolean() ? 0xFF : 0x12));
            buffer.putBytes(offset, frame, 0, available);
            assertEquals(isPrefix && available >= blobOffset, prefix.wrap(buffer, offset, available));
            assertTrue(!isPrefix || available < blobOffset || prefix.blobOffset() == offset + blobOffset);
        }
        return isPrefix;
    }

    /** Whatever the prefix says yes to, the decoder takes and shows the same of. */
    private boolean verifyWhole(final byte[] frame) {
        final UnsafeBuffer buffer = new UnsafeBuffer(frame);
        if (!prefix.wrap(buffer, 0, frame.length)
            || prefix.bodyLength() != frame.length - FrameDescriptor.SIZE_LENGTH) {
            return false;
        }
        decoder.wrap(buffer, FrameDescriptor.SIZE_LENGTH, frame.length - FrameDescriptor.SIZE_LENGTH);
        assertEquals(decoder.command(), prefix.command());
        assertEquals(decoder.handle(), prefix.handle());
        assertEquals(decoder.cookie(), prefix.cookie());
        assertEquals(decoder.blobOffset(), prefix.blobOffset());
        assertEquals(decoder.blobLength(), prefix.blobLength());
        assertEquals(0, decoder.errorCode());
        assertEquals(0, decoder.descriptorCount());
        return true;
    }

    private boolean wrap(final String hex) {
        final byte[] bytes = HexFormat.of().parseHex(hex.replace(" ", ""));
        return prefix.wrap(new UnsafeBuffer(bytes), 0, bytes.length);
    }
}
