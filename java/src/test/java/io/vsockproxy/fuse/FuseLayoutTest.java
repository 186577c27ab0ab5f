/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.fuse;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.vsockproxy.posix.Constants;
import io.vsockproxy.posix.FileAttributes;
import io.vsockproxy.posix.PollEvents;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.HexFormat;
import org.agrona.ExpandableArrayBuffer;
import org.agrona.concurrent.UnsafeBuffer;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** The flyweights against bytes laid out by hand from include/uapi/linux/fuse.h, on a little-endian machine. */
class FuseLayoutTest {
    private static final int OFFSET = 3;

    private final UnsafeBuffer out = new UnsafeBuffer(new byte[256]);

    @BeforeEach
    void fill() {
        assumeTrue(ByteOrder.nativeOrder() == ByteOrder.LITTLE_ENDIAN, "skipped: the bytes are little-endian");
        out.setMemory(0, out.capacity(), (byte) 0xCC);
    }

    @Test
    void shouldReadARequestsHeader() {
        final UnsafeBuffer in = bytes("50000000 0f000000 0200000000000080 0700000000000000"
            + "e8030000 e9030000 ea030000 0000 0000");
        assertEquals(0x50, FuseInHeader.length(in, OFFSET));
        assertEquals(FuseProtocol.READ, FuseInHeader.opcode(in, OFFSET));
        assertEquals(0x8000000000000002L, FuseInHeader.unique(in, OFFSET));
        assertEquals(7, FuseInHeader.nodeId(in, OFFSET));
        assertEquals(OFFSET + FuseInHeader.LENGTH, in.capacity());
    }

    @Test
    void shouldWriteAnAnswersHeader() {
        FuseOutHeader.put(out, OFFSET, 0x1122334455667788L, 0, 0x100);
        assertWritten("10010000 00000000 8877665544332211");
        FuseOutHeader.put(out, OFFSET, 2, 5, 0);
        assertWritten("10000000 fbffffff 0200000000000000");
    }

    @Test
    void shouldReadAndAnswerAnOffer() {
        final UnsafeBuffer in = bytes("07000000 2d000000 00000200 fbffff73 41000000" + "00".repeat(44));
        assertEquals(7, FuseInit.major(in, OFFSET));
        assertEquals(45, FuseInit.minor(in, OFFSET));
        assertEquals(0x20000, FuseInit.maxReadahead(in, OFFSET));
        assertEquals(0x41_73FFFFFBL, FuseInit.flags(in, OFFSET, 64));
        assertEquals(0x73FFFFFBL, FuseInit.flags(in, OFFSET, FuseInit.MIN_IN_LENGTH));
        // Without FUSE_INIT_EXT the second word means nothing.
        assertEquals(0x33FFFFFBL, FuseInit.flags(bytes("07000000 22000000 00000200 fbffff33 ffffffff"), OFFSET, 20));

        FuseInit.putOut(out, OFFSET, 38, 0x20000, 0x50_40448021L, 1024, 1 << 20, 257);
        assertWritten("07000000 26000000 00000200 21804440 0004 0003 00001000 01000000 0101 0000 50000000"
            + "00".repeat(28));
    }

    @Test
    void shouldWriteAttributes() {
        final String attributes = "0900000000000000 0102000000000000 0200000000000000"
            + "0506000000000000 0100000000000000 feffffffffffffff 07000000 08000000 fec99a3b"
            + "a48b0000 03000000 e8030000 e9030000 00000000 00000100 00000000";
        // A regular file, whatever type the owner claims. The time is a little more than a second before 1970.
        final FileAttributes of = new FileAttributes()
            .set(0x201, Constants.S_IFDIR | 05644, 3, 2, 0x605 * 1_000_000_000L + 7, 1_000_000_008L, -1_000_000_002L);
        FuseAttributes.put(out, OFFSET, 9, Constants.S_IFREG, of, 1000, 1001);
        assertWritten(attributes);

        assertEquals(OFFSET + 16, FuseAttributes.beginAttrOut(out, OFFSET));
        assertWritten("0000000000000000 00000000 00000000");
        assertEquals(FuseAttributes.ATTR_OUT_LENGTH, 16 + FuseAttributes.LENGTH);

        assertEquals(OFFSET + 40, FuseAttributes.beginEntryOut(out, OFFSET, 9));
        assertWritten("0900000000000000 0000000000000000 0000000000000000 0000000000000000 00000000 00000000");
    }

    @Test
    void shouldCountSectorsOfTheLargestFile() {
        final FuseNode node = new FuseNode(9, new FuseName(1, 2), Constants.O_RDWR, null, 77);
        node.onExamined(new FileAttributes().setSizeOnly(Long.MAX_VALUE));
        FuseAttributes.put(out, OFFSET, 9, Constants.S_IFREG, node.attributes(), 0, 0);
        assertEquals(1L << 54, out.getLong(OFFSET + 16));
        assertEquals(77, out.getInt(OFFSET + 48));
    }

    @Test
    void shouldReadArguments() {
        final UnsafeBuffer io = bytes("0100000000000000 0000000001000000 00100000 01000000"
            + "0000000000000000 02840000 00000000");
        assertEquals(1L << 32, FuseArguments.ioOffset(io, OFFSET));
        assertEquals(4096, FuseArguments.ioSize(io, OFFSET));
        assertEquals(FuseProtocol.FUSE_WRITE_CACHE, FuseArguments.ioFlags(io, OFFSET));
        assertEquals(OFFSET + FuseArguments.WRITE_IN_LENGTH, io.capacity());
        assertEquals(OFFSET + FuseArguments.READ_IN_LENGTH, io.capacity());
        assertEquals(0x8402, FuseArguments.ioStatusFlags(io, OFFSET));

        final UnsafeBuffer setattr = bytes("48000000 00000000 0100000000000000 0000000002000000" + "00".repeat(64));
        assertEquals(FuseProtocol.FATTR_SIZE | FuseProtocol.FATTR_FH, FuseAttributes.setattrValid(setattr, OFFSET));
        assertEquals(2L << 32, FuseAttributes.setattrSize(setattr, OFFSET));
        assertEquals(OFFSET + FuseAttributes.SETATTR_IN_LENGTH, setattr.capacity());
        final UnsafeBuffer owner = bytes("07000000 00000000" + "00".repeat(60) + "ed8d0000 00000000"
            + "e8030000 e9030000 00000000");
        assertEquals(0b111, FuseAttributes.setattrValid(owner, OFFSET));
        assertEquals(06755, FuseAttributes.setattrPermissions(owner, OFFSET));
        assertEquals(1000, FuseAttributes.setattrUid(owner, OFFSET));
        assertEquals(1001, FuseAttributes.setattrGid(owner, OFFSET));
        assertEquals(OFFSET + FuseAttributes.SETATTR_IN_LENGTH, owner.capacity());

        assertEquals(0x8402, FuseArguments.openFlags(bytes("02840000 00000000"), OFFSET));
        assertEquals(6, FuseArguments.accessMask(bytes("06000000 00000000"), OFFSET));
        assertEquals(3, FuseArguments.forgetLookups(bytes("0300000000000000"), OFFSET));
        assertEquals(4, FuseArguments.interruptUnique(bytes("0400000000000000"), OFFSET));
        final UnsafeBuffer fsync = bytes("0900000000000000 01000000 00000000");
        assertEquals(FuseProtocol.FUSE_FSYNC_FDATASYNC, FuseArguments.fsyncFlags(fsync, OFFSET));
        assertEquals(OFFSET + FuseArguments.FSYNC_IN_LENGTH, fsync.capacity());
        final UnsafeBuffer poll = bytes("0900000000000000 0500000000000000 01000000 41000000");
        assertEquals(5, FuseArguments.pollHandle(poll, OFFSET));
        assertEquals(FuseProtocol.FUSE_POLL_SCHEDULE_NOTIFY, FuseArguments.pollFlags(poll, OFFSET));
        assertEquals(PollEvents.READABLE, FuseArguments.pollEvents(poll, OFFSET));
        final UnsafeBuffer batch = bytes("02000000 00000000 0700000000000000 0100000000000000");
        assertEquals(2, FuseArguments.batchForgetCount(batch, OFFSET));
        assertEquals(7, FuseArguments.forgetOneNodeId(batch, OFFSET + 8));
        assertEquals(1, FuseArguments.forgetOneLookups(batch, OFFSET + 8));
    }

    @Test
    void shouldWriteResults() {
        FuseArguments.putOpenOut(out, OFFSET, 9, 0x61);
        assertWritten("0900000000000000 61000000 00000000");
        FuseArguments.putWriteOut(out, OFFSET, 4096);
        assertWritten("00100000 00000000");
        FuseArguments.putStatfsOut(out, OFFSET);
        assertWritten("0000001000000000".repeat(3) + "00".repeat(16) + "00100000 ff000000 00100000" + "00".repeat(28));
    }

    @Test
    void shouldReadBackTheNamesItMakes() {
        final FuseName name = new FuseName(0x0123456789abcdefL, -2);
        assertEquals("0123456789abcdeffffffffffffffffe", name.toString());
        final byte[] ascii = (name + "\0").getBytes(StandardCharsets.US_ASCII);
        assertEquals(name, FuseName.parse(new UnsafeBuffer(ascii), 0, ascii.length));
        for (int length = 0; length < ascii.length; length++) {
            assertNull(FuseName.parse(new UnsafeBuffer(ascii), 0, length), "length " + length);
        }
        for (int i = 0; i < ascii.length; i++) {
            final ExpandableArrayBuffer changed = new ExpandableArrayBuffer(64);
            changed.putBytes(0, ascii);
            changed.putByte(i, (byte) 'F');
            assertNull(FuseName.parse(changed, 0, ascii.length), "index " + i);
        }
    }

    private void assertWritten(final String hex) {
        final byte[] expected = HexFormat.of().parseHex(hex.replace(" ", ""));
        final byte[] actual = new byte[expected.length];
        out.getBytes(OFFSET, actual);
        assertEquals(HexFormat.of().formatHex(expected), HexFormat.of().formatHex(actual));
        assertEquals((byte) 0xCC, out.getByte(OFFSET - 1));
    }

    private static UnsafeBuffer bytes(final String hex) {
        final byte[] parsed = HexFormat.of().parseHex(hex.replace(" ", ""));
        final UnsafeBuffer buffer = new UnsafeBuffer(new byte[OFFSET + parsed.length]);
        buffer.putBytes(OFFSET, parsed);
        return buffer;
    }
}
