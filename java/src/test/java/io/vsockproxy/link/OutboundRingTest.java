/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.link;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.vsockproxy.posix.Constants;
import io.vsockproxy.posix.Descriptors;
import io.vsockproxy.posix.Errno;
import io.vsockproxy.posix.Memory;
import io.vsockproxy.posix.Syscalls;
import io.vsockproxy.testing.Endpoint;
import io.vsockproxy.testing.Received;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(value = 60, unit = TimeUnit.SECONDS)
class OutboundRingTest {
    private static final int CAPACITY = 1 << 20;
    private static final int DATA_LIMIT = 512 << 10;
    private static final int LENGTH = 256 << 10;
    private static final int HEADER = TestPiece.HEADER_LENGTH;

    @TempDir
    private Path directory;
    private int descriptorsBefore;
    private Endpoint[] pair;
    private OutboundRing ring;

    @BeforeEach
    void open() {
        descriptorsBefore = Descriptors.count();
        pair = Endpoint.socketPair(Constants.SOCK_STREAM);
        ring = new OutboundRing(CAPACITY, DATA_LIMIT);
    }

    @AfterEach
    void close() throws InterruptedException {
        ring.close();
        Endpoint.closeAll(pair);
        Descriptors.assertCount(descriptorsBefore);
    }

    @Test
    void shouldSendFramesOfBothSortsInOrder() {
        final long seed = Long.getLong("vsockproxy.test.seed", System.nanoTime());
        System.out.println("OutboundRingTest: vsockproxy.test.seed=" + seed);
        final Random random = new Random(seed);
        final ByteArrayOutputStream expected = new ByteArrayOutputStream();
        final ByteArrayOutputStream actual = new ByteArrayOutputStream();
        int pieces = 0;
        int released = 0;
        final TestPiece[] all = new TestPiece[400];
        for (int round = 0; round < 2000 && pieces < all.length; round++) {
            final byte[] bytes = new byte[1 + random.nextInt(random.nextBoolean() ? 100 : 100_000)];
            random.nextBytes(bytes);
            if (random.nextBoolean()) {
                final int index = ring.claimData(bytes.length, bytes.length);
                if (index != OutboundRing.NO_ROOM) {
                    ring.buffer().putBytes(index, bytes);
                    ring.commit(index, index + bytes.length);
                    expected.writeBytes(bytes);
                }
            } else {
                final TestPiece piece = TestPiece.of(bytes);
                if (commit(piece)) {
                    all[pieces++] = piece;
                    expected.writeBytes(TestPiece.header(bytes.length));
                    expected.writeBytes(bytes);
                } else {
                    piece.dispose();
                }
            }
            if (random.nextInt(3) == 0) {
                ring.flush(pair[0].fd());
            }
            if (random.nextInt(3) == 0) {
                drain(actual, random.nextInt(200_000));
            }
        }
        while (ring.flush(pair[0].fd()) != 0) {
            drain(actual, Integer.MAX_VALUE);
        }
        drain(actual, Integer.MAX_VALUE);
        assertArrayEquals(expected.toByteArray(), actual.toByteArray());
        assertTrue(pieces > 0);
        for (int i = 0; i < pieces; i++) {
            released += all[i].released;
            assertEquals(1, all[i].released);
            all[i].dispose();
        }
        assertEquals(pieces, released);
        assertEquals(0, ring.pendingBytes());
        assertEquals(0, ring.externalBytes());
        assertTrue(ring.isEmpty());
    }

    /** The header of an external piece goes first, and its place may be used again; that of what came next may not. */
    @Test
    void shouldKeepFramesApartThatAreCommittedWhileAnExternalPieceWaitsWithoutItsHeader() {
        final long seed = Long.getLong("vsockproxy.test.seed", System.nanoTime());
        System.out.println("OutboundRingTest: vsockproxy.test.seed=" + seed);
        final Random random = new Random(seed);
        final Endpoint event = Endpoint.eventfd(0);
        for (int round = 0; round < 100; round++) {
            final ByteArrayOutputStream expected = new ByteArrayOutputStream();
            final ByteArrayOutputStream actual = new ByteArrayOutputStream();
            final byte[] bytes = new byte[LENGTH + random.nextInt(LENGTH)];
            random.nextBytes(bytes);
            final TestPiece piece = TestPiece.of(bytes);
            assertTrue(commit(piece));
            expected.writeBytes(TestPiece.header(bytes.length));
            expected.writeBytes(bytes);
            assertEquals(-Errno.EAGAIN, ring.flush(pair[0].fd()));
            for (int i = 0; i < 3; i++) {
                final byte[] frame = new byte[HEADER];
                random.nextBytes(frame);
                final int index = ring.claimControl(frame.length);
                ring.buffer().putBytes(index, frame);
                // A frame with a descriptor begins a new call, so that a full socket separates it from the frames in
                // front.
                ring.commit(index, index + frame.length,
                    new int[] {Syscalls.fcntl(event.fd(), Constants.F_DUPFD_CLOEXEC, 0)});
                expected.writeBytes(frame);
                while (ring.externalBytes() > 0) {
                    drain(actual, 1 + random.nextInt(20_000));
                    ring.flush(pair[0].fd());
                }
            }
            while (ring.flush(pair[0].fd()) != 0) {
                drain(actual, Integer.MAX_VALUE);
            }
            drain(actual, Integer.MAX_VALUE);
            assertArrayEquals(expected.toByteArray(), actual.toByteArray(), "round " + round);
            piece.dispose();
        }
        event.close();
    }

    @Test
    void shouldHaveDescriptorsRideOnTheFirstByteOfTheirFrameBehindAnExternalPiece() {
        final TestPiece piece = TestPiece.of(new byte[1000]);
        assertTrue(commit(piece));
        final Endpoint[] passed = Endpoint.pipe();
        final int index = ring.claimControl(10);
        ring.buffer().setMemory(index, 10, (byte) 7);
        ring.commit(index, index + 10, new int[] {Syscalls.fcntl(passed[0].fd(), Constants.F_DUPFD_CLOEXEC, 0)});
        Endpoint.closeAll(passed);
        assertEquals(0, ring.flush(pair[0].fd()));
        final Received first = pair[1].receive(HEADER + 1000);
        assertEquals(HEADER + 1000, first.bytes().length);
        assertEquals(0, first.descriptors().size());
        final Received second = pair[1].receive();
        assertArrayEquals(new byte[] {7, 7, 7, 7, 7, 7, 7, 7, 7, 7}, second.bytes());
        assertEquals(1, second.descriptors().size());
        second.descriptors().forEach(Endpoint::close);
        assertEquals(1, piece.released);
        piece.dispose();
    }

    @Test
    void shouldReleaseWhatIsDiscarded() {
        final TestPiece first = TestPiece.of(new byte[LENGTH]);
        final TestPiece second = TestPiece.of(new byte[100]);
        assertTrue(commit(first));
        assertTrue(commit(second));
        assertEquals(-Errno.EAGAIN, ring.flush(pair[0].fd()));
        assertEquals(0, first.released);
        ring.discard();
        assertEquals(1, first.released);
        assertEquals(1, second.released);
        assertEquals(0, ring.pendingBytes());
        assertEquals(0, ring.externalBytes());
        first.dispose();
        second.dispose();
    }

    @Test
    void shouldBoundExternalBytesButTakeOnePieceOfAnyLength() {
        final TestPiece large = TestPiece.of(new byte[DATA_LIMIT + 1]);
        final TestPiece small = TestPiece.of(new byte[1]);
        assertTrue(commit(large));
        assertEquals(DATA_LIMIT + 1, ring.externalBytes());
        assertFalse(commit(small));
        assertFalse(ring.hasDataRoom());
        while (ring.flush(pair[0].fd()) != 0) {
            drain(new ByteArrayOutputStream(), Integer.MAX_VALUE);
        }
        assertTrue(ring.hasDataRoom());
        assertTrue(commit(small));
        ring.discard();
        large.dispose();
        small.dispose();
    }

    @Test
    void shouldNotSayThatThereIsRoomForWhatItRefused() {
        final int filled = DATA_LIMIT / 4;
        final int index = ring.claimData(filled, filled);
        ring.commit(index, index + filled);
        assertTrue(ring.hasDataRoom());
        final int refused = DATA_LIMIT - filled + 1;
        assertEquals(OutboundRing.NO_ROOM, ring.claimData(refused, refused));
        assertFalse(ring.hasDataRoom());
        while (ring.flush(pair[0].fd()) != 0) {
            drain(new ByteArrayOutputStream(), Integer.MAX_VALUE);
        }
        assertTrue(ring.hasDataRoom());
        assertNotEquals(OutboundRing.NO_ROOM, ring.claimData(refused, refused));
        ring.abort();
    }

    @Test
    void shouldShortenAFrameWhoseFileIsCutBeforeItHasBegun() throws IOException {
        try (TestFile file = new TestFile(directory, LENGTH)) {
            assertTrue(commit(file.piece(0, LENGTH)));
            assertTrue(commit(file.piece(0, 5000)));
            file.cut(10_000);
            assertEquals(0, flushAndDrain(HEADER + 10_000 + HEADER + 5000,
                TestPiece.header(10_000), file.content(0, 10_000), TestPiece.header(5000), file.content(0, 5000)));
            assertEquals(2, file.released());
        }
        assertEquals(0, ring.pendingBytes());
        assertEquals(0, ring.externalBytes());
    }

    @Test
    void shouldShortenAFrameThatWaitsBehindAStall() throws IOException {
        final int stalling = 400_000;
        final byte[] front = new byte[stalling];
        try (TestFile file = new TestFile(directory, LENGTH)) {
            final int index = ring.claimData(stalling, stalling);
            ring.buffer().putBytes(index, front);
            ring.commit(index, index + stalling);
            assertTrue(commit(file.piece(0, LENGTH)));
            assertEquals(-Errno.EAGAIN, ring.flush(pair[0].fd()));
            // So many bytes are left that the first part of the frame would be sent before the fault.
            file.cut(150_000);
            assertEquals(0, flushAndDrain(stalling + HEADER + 150_000,
                front, TestPiece.header(150_000), file.content(0, 150_000)));
        }
    }

    @Test
    void shouldSendNoBytesWhereTheFileHasNoneLeft() throws IOException {
        try (TestFile file = new TestFile(directory, LENGTH)) {
            assertTrue(commit(file.piece(4096, LENGTH - 4096)));
            final TestPiece after = TestPiece.of(new byte[] {1, 2, 3});
            assertTrue(commit(after));
            file.cut(0);
            assertEquals(0, flushAndDrain(2 * HEADER + 3,
                TestPiece.header(0), TestPiece.header(3), new byte[] {1, 2, 3}));
            assertEquals(1, after.released);
            after.dispose();
        }
    }

    @Test
    void shouldFillUpAFrameThatHasBegunWithZerosWhenItsFileIsCut() throws IOException {
        final int length = 900_000;
        try (TestFile file = new TestFile(directory, length)) {
            assertTrue(commit(file.piece(0, length)));
            assertEquals(-Errno.EAGAIN, ring.flush(pair[0].fd()));
            final long sent = HEADER + length - ring.pendingBytes();
            assertTrue(sent > HEADER && sent < length / 2, () -> "sent=" + sent);
            final int left = (int) sent + 50_000;
            file.cut(left);
            assertEquals(0, flushAndDrain(HEADER + length,
                TestPiece.header(length), file.content(0, left), new byte[length - left]));
            assertEquals(1, file.released());
        }
        assertEquals(0, ring.externalBytes());
    }

    @Test
    void shouldFillUpWithZerosAgainWhenTheFileIsCutAgain() throws IOException {
        final int length = 900_000;
        try (TestFile file = new TestFile(directory, length)) {
            assertTrue(commit(file.piece(0, length)));
            final int index = ring.claimControl(1);
            ring.buffer().putByte(index, (byte) 9);
            ring.commit(index, index + 1);
            assertEquals(-Errno.EAGAIN, ring.flush(pair[0].fd()));
            final ByteArrayOutputStream actual = new ByteArrayOutputStream();
            file.cut(700_000);
            drain(actual, 150_000);
            ring.flush(pair[0].fd());
            file.cut(0);
            while (ring.flush(pair[0].fd()) != 0) {
                drain(actual, Integer.MAX_VALUE);
            }
            drain(actual, Integer.MAX_VALUE);
            final byte[] bytes = actual.toByteArray();
            assertEquals(HEADER + length + 1, bytes.length);
            assertArrayEquals(TestPiece.header(length), Arrays.copyOf(bytes, HEADER));
            assertEquals(9, bytes[bytes.length - 1]);
            int same = 0;
            while (same < length && bytes[HEADER + same] == file.content(same, 1)[0]) {
                same++;
            }
            assertTrue(same > 100_000 && same < 700_000, "same=" + same);
            // In the page where the file ended, a random byte may be zero too; after that page all are.
            assertArrayEquals(new byte[length - 700_000],
                Arrays.copyOfRange(bytes, HEADER + 700_000, HEADER + length));
            assertEquals(1, file.released());
        }
    }

    @Test
    void shouldReportAnErrorWhenMemoryCannotBeReadInSpiteOfTheSize() {
        final TestPiece good = TestPiece.of(new byte[] {1});
        final TestPiece bad = TestPiece.unreadable(LENGTH);
        final TestPiece last = TestPiece.of(new byte[] {2});
        assertTrue(commit(good));
        assertTrue(commit(bad));
        assertTrue(commit(last));
        assertEquals(0, flushAndDrain(3 * HEADER + 2,
            TestPiece.header(1), new byte[] {1}, TestPiece.header(-Errno.EIO), TestPiece.header(1), new byte[] {2}));
        for (final TestPiece piece : new TestPiece[] {good, bad, last}) {
            assertEquals(1, piece.released);
            piece.dispose();
        }
    }

    @Test
    void shouldSendAFileThatWasCutAndHasGrownAgain() throws IOException {
        try (TestFile file = new TestFile(directory, LENGTH)) {
            assertTrue(commit(file.piece(0, LENGTH)));
            file.cut(0);
            file.cut(LENGTH);
            assertEquals(0, flushAndDrain(HEADER + LENGTH, TestPiece.header(LENGTH), new byte[LENGTH]));
        }
    }

    private boolean commit(final TestPiece piece) {
        final int index = ring.claimExternal(HEADER, piece.length());
        if (index == OutboundRing.NO_ROOM) {
            return false;
        }
        ring.buffer().putBytes(index, TestPiece.header(piece.length()));
        ring.commit(index, index + HEADER, piece);
        return true;
    }

    /** Sends all and compares; the last result of the ring's flush. */
    private int flushAndDrain(final int length, final byte[]... expected) {
        final ByteArrayOutputStream all = new ByteArrayOutputStream();
        for (final byte[] bytes : expected) {
            all.writeBytes(bytes);
        }
        assertEquals(length, all.size());
        final ByteArrayOutputStream actual = new ByteArrayOutputStream();
        int result = ring.flush(pair[0].fd());
        while (result == -Errno.EAGAIN) {
            drain(actual, Integer.MAX_VALUE);
            result = ring.flush(pair[0].fd());
        }
        drain(actual, Integer.MAX_VALUE);
        assertArrayEquals(all.toByteArray(), actual.toByteArray());
        return result;
    }

    private void drain(final ByteArrayOutputStream to, final int maxLength) {
        int left = maxLength;
        while (left > 0 && pair[1].isReadable()) {
            final Received received = pair[1].receive(Math.min(left, 1 << 20));
            received.descriptors().forEach(Endpoint::close);
            to.writeBytes(received.bytes());
            left -= received.bytes().length;
        }
    }

    /** Off-heap memory with these bytes. */
    static Memory memory(final byte[] bytes) {
        final Memory memory = Memory.allocate(bytes.length);
        memory.buffer().putBytes(0, bytes);
        return memory;
    }
}
