/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.wire;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.protobuf.InvalidProtocolBufferException;
import io.vsockproxy.proto.Data;
import io.vsockproxy.proto.FileDescriptor;
import io.vsockproxy.proto.VSockMessage;
import java.util.HexFormat;
import org.agrona.ExpandableArrayBuffer;
import org.agrona.concurrent.UnsafeBuffer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Unusual encodings, legal and illegal.
 */
class MessageDecoderTest {
    private static final Differential DIFFERENTIAL = new Differential();

    private final MessageDecoder decoder = new MessageDecoder(2);

    @Test
    void shouldShowNoCommandForAnEmptyBody() {
        decode("12 02 08 07");
        decode("");
        assertEquals(Command.NONE, decoder.command());
        assertEquals(0, decoder.handle());
    }

    @Test
    void shouldShowNoCommandForOneOfALaterVersion() {
        decode("6a 02 08 07");
        assertEquals(Command.NONE, decoder.command());
    }

    @Test
    void shouldTakeFieldsInAnyOrder() {
        decode("12 0d 1a 02 10 09 12 03 61 62 63 1a 00 08 07");
        assertEquals(Command.DATA, decoder.command());
        assertEquals(7, decoder.handle());
        assertEquals(8, decoder.blobOffset());
        assertEquals(3, decoder.blobLength());
        assertEquals(2, decoder.descriptorCount());
        assertEquals(9, decoder.descriptorHandle(0));
        assertEquals(0, decoder.descriptorHandle(1));
    }

    @Test
    void shouldTakeTheLastOfARepeatedField() {
        decode("12 0a 08 07 12 02 61 62 08 09 12 00");
        assertEquals(9, decoder.handle());
        assertEquals(0, decoder.blobLength());
    }

    @Test
    void shouldMergeACommandThatComesTwice() {
        decode("12 06 08 07 1a 02 10 01  12 07 12 01 61 1a 02 10 02");
        assertEquals(7, decoder.handle());
        assertEquals(1, decoder.blobLength());
        assertEquals(2, decoder.descriptorCount());
        assertEquals(1, decoder.descriptorHandle(0));
        assertEquals(2, decoder.descriptorHandle(1));
    }

    @Test
    void shouldLetAnotherCommandReplaceTheFirst() {
        decode("12 05 08 07 12 01 61  0a 00");
        assertEquals(Command.CLOSE, decoder.command());
        assertEquals(0, decoder.handle());
        assertEquals(0, decoder.blobLength());
    }

    @Test
    void shouldForgetAReplacedCommandThatComesBack() throws InvalidProtocolBufferException {
        final String twiceReplaced = "0a 02 08 05  12 02 08 07  0a 00";
        decode(twiceReplaced);
        assertEquals(Command.CLOSE, decoder.command());
        assertEquals(0, decoder.handle());
        // The reason for Reference's detour. If this fails, protobuf-java has changed, and the detour can go.
        assertEquals(5, VSockMessage.parseFrom(bytes(twiceReplaced)).getClose().getHandle());
    }

    @Test
    void shouldRejectAVarintOfElevenBytesWhereProtobufJavaDoesNot() throws InvalidProtocolBufferException {
        final String unended = "0a 0b 08 ff ff ff ff ff ff ff ff ff 81";
        assertMalformed(unended, 3);
        assertTrue(Differential.isTenthByteThatProtobufJavaTakes(bytes(unended), 3));
        // The reason for Differential's exception. If this fails, protobuf-java has changed, and the exception can go.
        assertEquals(-1, VSockMessage.parseFrom(bytes(unended)).getClose().getHandle());
    }

    @Test
    void shouldTakeVarintsOfTenBytesEverywhere() {
        final String zeros = " 80 80 80 80 80 80 80 80 00 ";
        decode("92" + zeros + "a9" + zeros + "88" + zeros + "87" + zeros + "92" + zeros + "81" + zeros + "61");
        assertEquals(Command.DATA, decoder.command());
        assertEquals(7, decoder.handle());
        assertEquals(1, decoder.blobLength());
    }

    @Test
    void shouldTruncateTagsLengthsAndInt32To32Bits() {
        // Each of these has 2^32 on top.
        final String and2To32 = " 80 80 80 10 ";
        decode("92" + and2To32 + "91" + and2To32 + "88" + and2To32 + "07 92" + and2To32 + "81" + and2To32 + "61");
        assertEquals(7, decoder.handle());
        assertEquals(1, decoder.blobLength());
        decode("62 08 08 01 10 85" + and2To32);
        assertEquals(5, decoder.errorCode());
    }

    @Test
    void shouldReadNegativeInt32FromTenBytesAndFromFive() {
        decode("62 0b 10 ff ff ff ff ff ff ff ff ff 01");
        assertEquals(-1, decoder.errorCode());
        decode("62 06 10 fe ff ff ff 0f");
        assertEquals(-2, decoder.errorCode());
    }

    @ParameterizedTest
    @ValueSource(strings = {
        "68 01", // varint
        "69 01 02 03 04 05 06 07 08", // fixed64
        "6a 03 61 62 63", // bytes
        "6b 6c", // an empty group
        "6b 08 01 09 01 02 03 04 05 06 07 08 12 01 61 13 14 1d 01 02 03 04 6c", // a group of everything
        "6d 01 02 03 04", // fixed32
        "09 01 02 03 04 05 06 07 08", // field 1, as fixed64
        "1d 01 02 03 04", // field 3, as fixed32
        "0d 01 02 03 04", // field 1, as fixed32
        "13 08 01 14", // field 2, as a group
        "f8 ff ff ff 0f 01", // the largest field number
        "88 80 80 80 08 01", // one whose tag is negative as an int
    })
    void shouldSkipUnknownFieldsAtEveryLevel(final String unknown) {
        final String descriptor = unknown + "10 09" + unknown;
        final String data = "08 07" + unknown + "12 01 61" + "1a" + length(descriptor) + descriptor + unknown;
        decode(unknown + "12" + length(data) + data + unknown);
        assertEquals(Command.DATA, decoder.command());
        assertEquals(7, decoder.handle());
        assertEquals(1, decoder.blobLength());
        assertEquals(9, decoder.descriptorHandle(0));
    }

    @Test
    void shouldBoundTheNestingOfGroupsAsProtobufDoes() {
        assertTrue(DIFFERENTIAL.accepts(bytes("6b".repeat(100) + "6c".repeat(100))));
        assertFalse(DIFFERENTIAL.accepts(bytes("6b".repeat(101) + "6c".repeat(101))));
        // One level fewer inside a message, two inside a descriptor.
        assertTrue(DIFFERENTIAL.accepts(bytes("12c601" + "6b".repeat(99) + "6c".repeat(99))));
        assertFalse(DIFFERENTIAL.accepts(bytes("12c801" + "6b".repeat(100) + "6c".repeat(100))));
        assertTrue(DIFFERENTIAL.accepts(bytes("12c7011ac401" + "6b".repeat(98) + "6c".repeat(98))));
        assertFalse(DIFFERENTIAL.accepts(bytes("12c9011ac601" + "6b".repeat(99) + "6c".repeat(99))));
        assertFalse(DIFFERENTIAL.accepts(bytes("6b".repeat(100_000))));
    }

    @ParameterizedTest
    @ValueSource(strings = {
        "12", // no length
        "12 01", // no fields
        "12 80", // half a length
        "12 02 08", // half a body
        "12 01 08 07", // a field that overruns its message
        "12 02 08 80 01 0a 00 0a 00 0a 00 0a 00", // a varint that ends outside its message
        "12 04 12 03 61 62", // a blob that overruns its message, and the body
        "12 04 12 03 61 62 63", // a blob that overruns its message only
        "12 ff ff ff ff 0f", // length -1
        "12 ff ff ff ff 07", // length 2^31 - 1
        "12 06 12 ff ff ff ff 07", // the same of a blob
        "12 04 1a 03 10 01", // a descriptor that overruns its message
        "00", "02 00", "12 02 00 00", "80 80 80 80 10 00", // field number 0
        "0e", "0f", "12 02 0e 00", "12 02 1f 00", // wire types 6 and 7
        "0c", "6c", "12 01 0c", "12 03 1a 01 0c", // end of a group that has not started
        "6b", "12 01 6b", "6b 08 01", // a group that does not end
        "6b 74", "6b 6b 6c 74", // a group that ends as another
        "12 01 6b 6c", // a group that ends outside its message
        "69 01 02 03 04 05 06 07", "6d 01 02 03", "6a 04 61 62 63", "68", "68 80", // truncated unknown fields
        "ff ff ff ff ff ff ff ff ff ff 01", // a tag of eleven bytes
        "1a 03 12 01 ff", "1a 04 12 02 c0 80", "1a 05 12 03 ed a0 80", // paths that are not UTF-8
        "1a 08 12 01 ff 12 03 61 62 63", // replaced by one that is
    })
    void shouldCallMalformedWhatProtobufDoes(final String hex) {
        assertFalse(DIFFERENTIAL.accepts(bytes(hex)));
    }

    @Test
    void shouldSayWhatIsWrongAndWhere() {
        final MalformedMessageException e = assertMalformed("12 04 12 03 61 62 63", 3);
        assertEquals(
            "malformed message: length overruns its parent: length=3, left=2, at byte 3 of the body", e.getMessage());
    }

    @Test
    void shouldShowNothingOfAMalformedMessage() {
        assertMalformed("12 07 08 07 12 01 61 1a 00 00", 9);
        assertEquals(Command.NONE, decoder.command());
        assertEquals(0, decoder.handle());
        assertEquals(0, decoder.blobLength());
        assertEquals(0, decoder.descriptorCount());
    }

    @Test
    void shouldLimitTheDescriptorsOfOneMessage() {
        final Data.Builder data = Data.newBuilder().setHandle(1);
        data.addTransferredFd(FileDescriptor.newBuilder().setHandle(2));
        data.addTransferredFd(FileDescriptor.newBuilder().setTypeValue(77).setHandle(3).setFlags(-1));
        decode(HexFormat.of().formatHex(VSockMessage.newBuilder().setData(data).build().toByteArray()));
        assertEquals(2, decoder.descriptorCount());
        assertEquals(77, decoder.descriptorType(1));
        assertEquals(-1, decoder.descriptorFlags(1));
        assertThrows(IndexOutOfBoundsException.class, () -> decoder.descriptorHandle(2));
        assertThrows(IndexOutOfBoundsException.class, () -> decoder.descriptorType(-1));

        data.addTransferredFd(FileDescriptor.newBuilder().setHandle(4));
        final byte[] body = VSockMessage.newBuilder().setData(data).build().toByteArray();
        final MalformedMessageException e = assertThrows(
            MalformedMessageException.class, () -> decoder.wrap(new UnsafeBuffer(body), 0, body.length));
        assertTrue(e.getMessage().contains("count=3, max=2"), e.getMessage());
    }

    @Test
    void shouldDecodeFromAnyKindOfBuffer() {
        final ExpandableArrayBuffer buffer = new ExpandableArrayBuffer();
        buffer.putBytes(11, bytes("12 05 08 07 12 01 61"));
        decoder.wrap(buffer, 11, 7);
        assertEquals(7, decoder.handle());
        assertEquals('a', decoder.buffer().getByte(decoder.blobOffset()));
    }

    @Test
    void shouldRefuseRangesOutsideTheBuffer() {
        final UnsafeBuffer buffer = new UnsafeBuffer(new byte[8]);
        assertThrows(IndexOutOfBoundsException.class, () -> decoder.wrap(buffer, 1, 8));
        assertThrows(IndexOutOfBoundsException.class, () -> decoder.wrap(buffer, -1, 1));
        assertThrows(IndexOutOfBoundsException.class, () -> decoder.wrap(buffer, 1, -1));
        assertThrows(IndexOutOfBoundsException.class, () -> decoder.wrap(buffer, 9, 0));
        assertThrows(IndexOutOfBoundsException.class, () -> decoder.wrap(buffer, 8, Integer.MAX_VALUE));
        assertThrows(IllegalArgumentException.class, () -> new MessageDecoder(-1));
        assertEquals(Command.NONE, decoder.wrap(buffer, 8, 0).command());
    }

    private void decode(final String hex) {
        final byte[] body = bytes(hex);
        assertTrue(DIFFERENTIAL.accepts(body));
        decoder.wrap(new UnsafeBuffer(body), 0, body.length);
    }

    private MalformedMessageException assertMalformed(final String hex, final int at) {
        final byte[] body = bytes(hex);
        final MalformedMessageException e = assertThrows(
            MalformedMessageException.class, () -> decoder.wrap(new UnsafeBuffer(body), 0, body.length));
        assertEquals(at, e.bodyOffset());
        return e;
    }

    /** Of so many bytes in hex, in hex. */
    private static String length(final String hex) {
        return HexFormat.of().toHexDigits((byte) bytes(hex).length);
    }

    private static byte[] bytes(final String hex) {
        return HexFormat.of().parseHex(hex.replace(" ", ""));
    }
}
