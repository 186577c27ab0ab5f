/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.stream;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.sun.management.ThreadMXBean;
import io.vsockproxy.posix.Constants;
import io.vsockproxy.posix.Descriptors;
import io.vsockproxy.posix.Errno;
import io.vsockproxy.posix.IoVec;
import io.vsockproxy.posix.OwnedFd;
import io.vsockproxy.posix.PosixException;
import io.vsockproxy.posix.Syscalls;
import io.vsockproxy.testing.Await;
import io.vsockproxy.testing.Seeds;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.Deque;
import java.util.Random;
import org.agrona.DirectBuffer;
import org.agrona.concurrent.UnsafeBuffer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class OutputQueueTest {
    private static final int OPERATIONS = 4000;
    private static final int MAX_LENGTH = 200_000;
    private static final int MANY = 100_000;
    private static final int[] NONE = {};
    private static final int LENGTH_FIELD = Integer.BYTES;

    /** A run as the queue should have it. */
    private static final class Run {
        private final byte[] bytes;
        private final int[] descriptors;
        private int taken;
        private boolean descriptorsSent;

        Run(final byte[] bytes, final int[] descriptors) {
            this.bytes = bytes;
            this.descriptors = descriptors;
        }

        int left() {
            return bytes.length - taken;
        }
    }

    private final UnsafeBuffer table =
        new UnsafeBuffer(ByteBuffer.allocateDirect(OutputQueue.MAX_PIECES * IoVec.LENGTH));
    private final UnsafeBuffer source = new UnsafeBuffer(ByteBuffer.allocateDirect(MAX_LENGTH));
    private int descriptorsBefore;

    @BeforeEach
    void countDescriptors() {
        assertEquals("EAGAIN", Errno.name(Errno.EAGAIN));
        descriptorsBefore = Await.stable(Descriptors::count);
    }

    @AfterEach
    void compareDescriptors() throws InterruptedException {
        Descriptors.assertCount(descriptorsBefore);
    }

    @Test
    void shouldKeepWhatSomebodyReadsWhateverBecomesOfTheQueue() {
        try (ChunkPool pool = new ChunkPool(); OutputQueue other = new OutputQueue(pool, false)) {
            final OutputQueue queue = new OutputQueue(pool, false);
            source.setMemory(0, MAX_LENGTH, (byte) 1);
            queue.add(source, 0, MAX_LENGTH, NONE);
            final DirectBuffer read = queue.holdFirstChunk();
            final int length = queue.firstPieceLength();
            queue.close();
            source.setMemory(0, MAX_LENGTH, (byte) 2);
            other.add(source, 0, MAX_LENGTH, NONE);
            for (int i = 0; i < length; i++) {
                assertEquals(1, read.getByte(i), "byte " + i);
            }
            queue.releaseChunk();
            other.add(source, 0, MAX_LENGTH, NONE);
            assertEquals(2, read.getByte(0), "the chunk is used again");
        }
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void shouldGiveBackWhatWasAddedInOrder(final boolean packets) {
        final Random random = Seeds.random("shouldGiveBackWhatWasAddedInOrder");
        final Deque<Run> model = new ArrayDeque<>();
        try (ChunkPool pool = new ChunkPool(); OutputQueue queue = new OutputQueue(pool, packets)) {
            for (int i = 0; i < OPERATIONS; i++) {
                if (random.nextInt(100) < (i % 1000 < 500 ? 60 : 40) && length(model) < 40 * MAX_LENGTH) {
                    add(random, queue, model, packets);
                } else if (!model.isEmpty()) {
                    take(random, queue, model);
                }
                expectSame(queue, model);
            }
        }
    }

    private void add(final Random random, final OutputQueue queue, final Deque<Run> model, final boolean packets) {
        final int shortest = packets ? 0 : 1;
        final int length = shortest + random.nextInt(random.nextInt(4) == 0 ? MAX_LENGTH - 1 : 300);
        final byte[] bytes = new byte[length];
        random.nextBytes(bytes);
        source.putBytes(0, bytes);
        final int[] descriptors = random.nextInt(8) == 0 ? events(1 + random.nextInt(3)) : NONE;
        queue.add(source, 0, length, descriptors);
        final Run last = model.peekLast();
        if (packets || last == null || descriptors.length > 0) {
            model.add(new Run(bytes, descriptors));
        } else {
            // Bytes without descriptors join the run before them.
            model.removeLast();
            final byte[] joined = Arrays.copyOf(last.bytes, last.bytes.length + length);
            System.arraycopy(bytes, 0, joined, last.bytes.length, length);
            final Run run = new Run(joined, last.descriptors);
            run.taken = last.taken;
            run.descriptorsSent = last.descriptorsSent;
            model.add(run);
        }
    }

    private void take(final Random random, final OutputQueue queue, final Deque<Run> model) {
        final Run first = model.getFirst();
        assertTrue(queue.isFirstReady());
        assertEquals(first.left(), queue.firstLength());
        final byte[] offered = gather(queue);
        assertArrayEquals(
            Arrays.copyOfRange(first.bytes, first.taken, first.taken + offered.length), offered);
        assertTrue(offered.length == first.left() || offered.length > 14 * ChunkPool.CHUNK_LENGTH);
        assertArrayEquals(first.descriptorsSent ? NONE : first.descriptors, queue.firstDescriptors());
        final int taken = random.nextBoolean() || offered.length == 0
            ? offered.length
            : 1 + random.nextInt(offered.length);
        if (queue.firstDescriptors().length > 0) {
            queue.descriptorsSent();
            first.descriptorsSent = true;
        }
        queue.taken(taken);
        first.taken += taken;
        if (first.left() == 0) {
            model.removeFirst();
        }
    }

    private static void expectSame(final OutputQueue queue, final Deque<Run> model) {
        assertEquals(model.isEmpty(), queue.isEmpty());
        assertEquals(length(model), queue.length());
        final int descriptors = model.stream().filter(run -> !run.descriptorsSent)
            .mapToInt(run -> run.descriptors.length).sum();
        assertEquals(
            queue.length() + model.size() * OutputQueue.BOUNDARY_CHARGE + descriptors * OutputQueue.DESCRIPTOR_CHARGE,
            queue.charge());
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void shouldCloseWhatItStillHolds(final boolean packets) {
        try (ChunkPool pool = new ChunkPool()) {
            final OutputQueue queue = new OutputQueue(pool, packets);
            for (int i = 0; i < 10; i++) {
                queue.add(source, 0, 1000, events(5));
            }
            queue.descriptorsSent();
            queue.taken(1000);
            queue.close();
            assertTrue(queue.isEmpty());
            assertEquals(0, queue.charge());
        }
    }

    @Test
    void shouldHaveNoObjectForAnEmptyPacket() {
        final ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        try (ChunkPool pool = new ChunkPool(); OutputQueue queue = new OutputQueue(pool, true)) {
            queue.add(source, 0, 0, NONE);
            final long before = threads.getCurrentThreadAllocatedBytes();
            for (int i = 1; i < MANY; i++) {
                queue.add(source, 0, 0, NONE);
            }
            final long allocated = threads.getCurrentThreadAllocatedBytes() - before;
            // Seven chunks.
            assertTrue(allocated < MANY / 10, () -> "allocated bytes: " + allocated);
            assertEquals(MANY * OutputQueue.BOUNDARY_CHARGE, queue.charge());
            for (int i = 0; i < MANY; i++) {
                assertTrue(queue.isFirstReady());
                assertEquals(0, queue.gather(table));
                queue.taken(0);
            }
            assertTrue(queue.isEmpty());
            assertEquals(0, queue.charge());
        }
    }

    /** So that of the next packet all, a part or nothing is in the same chunk. */
    @ParameterizedTest
    @ValueSource(ints = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 12})
    void shouldKeepPacketsApartAtTheEndOfAChunk(final int left) {
        final int[] lengths = {ChunkPool.CHUNK_LENGTH - LENGTH_FIELD - left, 1, 0, ChunkPool.CHUNK_LENGTH, 0, 3,
            MAX_LENGTH - 10, 2};
        try (ChunkPool pool = new ChunkPool(); OutputQueue queue = new OutputQueue(pool, true)) {
            for (int i = 0; i < lengths.length; i++) {
                source.setMemory(0, lengths[i], (byte) (i + 1));
                queue.add(source, 0, lengths[i], NONE);
            }
            for (int i = 0; i < lengths.length; i++) {
                final byte[] expected = new byte[lengths[i]];
                Arrays.fill(expected, (byte) (i + 1));
                assertEquals(lengths[i], queue.firstLength(), "packet " + i);
                assertArrayEquals(expected, gather(queue), "packet " + i);
                queue.taken(lengths[i]);
            }
            assertTrue(queue.isEmpty());
        }
    }

    @Test
    void shouldAttachDescriptorsToTheirOwnPacketAmongEmptyOnes() {
        try (ChunkPool pool = new ChunkPool(); OutputQueue queue = new OutputQueue(pool, true)) {
            final int[] second = events(2);
            final int[] fifth = events(1);
            queue.add(source, 0, 0, NONE);
            queue.add(source, 0, 0, second);
            queue.add(source, 0, 0, NONE);
            queue.add(source, 0, MAX_LENGTH, NONE);
            final Delivery delivery = new Delivery(new int[] {Delivery.MISSING});
            queue.add(source, 0, 7, delivery);
            queue.add(source, 0, 0, NONE);
            assertEquals(MAX_LENGTH + 7 + 6 * OutputQueue.BOUNDARY_CHARGE + 3 * OutputQueue.DESCRIPTOR_CHARGE,
                queue.charge());
            expectPacket(queue, 0, NONE);
            expectPacket(queue, 0, second);
            expectPacket(queue, 0, NONE);
            expectPacket(queue, MAX_LENGTH, NONE);
            assertFalse(queue.isFirstReady(), "its descriptor is not there yet");
            delivery.supply(0, OwnedFd.of(fifth[0]));
            expectPacket(queue, 7, fifth);
            expectPacket(queue, 0, NONE);
            assertTrue(queue.isEmpty());
            assertEquals(0, queue.charge());
        }
    }

    private static void expectPacket(final OutputQueue queue, final int length, final int[] descriptors) {
        assertTrue(queue.isFirstReady());
        assertEquals(length, queue.firstLength());
        assertArrayEquals(descriptors, queue.firstDescriptors());
        queue.taken(length);
    }

    @Test
    void shouldBeUsableAgainAfterItWasClosedInTheMiddleOfAPacket() {
        try (ChunkPool pool = new ChunkPool()) {
            final OutputQueue queue = new OutputQueue(pool, true);
            queue.add(source, 0, MAX_LENGTH, events(1));
            queue.add(source, 0, 0, NONE);
            queue.add(source, 0, 1, events(2));
            queue.add(source, 0, 1, new Delivery(new int[] {events(1)[0], Delivery.MISSING}));
            queue.add(source, 0, 0, NONE);
            queue.descriptorsSent();
            queue.taken(MAX_LENGTH / 2);
            assertEquals(MAX_LENGTH - MAX_LENGTH / 2, queue.firstLength());
            queue.close();
            assertTrue(queue.isEmpty());
            assertEquals(0, queue.charge());
            queue.add(source, 0, 3, NONE);
            expectPacket(queue, 3, NONE);
            assertTrue(queue.isEmpty());
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3})
    void shouldHaveDescriptorsWithoutBytesRideOnTheNextByte(final int earlier) {
        try (ChunkPool pool = new ChunkPool(); OutputQueue queue = new OutputQueue(pool, false)) {
            final int[] all = events(earlier + 1);
            for (int i = 0; i < earlier; i++) {
                queue.add(source, 0, 0, new int[] {all[i]});
                assertFalse(queue.isFirstReady());
            }
            queue.add(source, 0, 10, new int[] {all[earlier]});
            queue.add(source, 0, 10, NONE);
            assertTrue(queue.isFirstReady());
            assertArrayEquals(all, queue.firstDescriptors());
            assertEquals(20, queue.firstLength());
            assertEquals(
                20 + OutputQueue.BOUNDARY_CHARGE + (earlier + 1) * OutputQueue.DESCRIPTOR_CHARGE, queue.charge());
            queue.descriptorsSent();
            queue.taken(20);
            assertEquals(0, queue.charge());
        }
    }

    @Test
    void shouldKeepTheEarlierDescriptorsWhenOneByteCannotCarryAll() throws InterruptedException {
        try (ChunkPool pool = new ChunkPool(); OutputQueue queue = new OutputQueue(pool, false)) {
            final int[] earlier = events(200);
            queue.add(source, 0, 0, earlier);
            queue.add(source, 0, 0, events(100));
            final int[] fitting = events(53);
            queue.add(source, 0, 10, fitting);
            assertTrue(queue.isFirstReady());
            final int[] all = Arrays.copyOf(earlier, 253);
            System.arraycopy(fitting, 0, all, 200, 53);
            assertArrayEquals(all, queue.firstDescriptors());
            assertEquals(10 + OutputQueue.BOUNDARY_CHARGE + 253 * OutputQueue.DESCRIPTOR_CHARGE, queue.charge());
            Descriptors.assertCount(descriptorsBefore + 253);
        }
    }

    @Test
    void shouldGetPastAnyNumberOfRunsWithoutBytes() {
        try (ChunkPool pool = new ChunkPool(); OutputQueue queue = new OutputQueue(pool, false)) {
            for (int i = 0; i < MANY; i++) {
                queue.add(source, 0, 0, new Delivery(NONE));
            }
            final int[] descriptors = events(1);
            queue.add(source, 0, 10, descriptors);
            assertTrue(queue.isFirstReady());
            assertEquals(10, queue.firstLength());
            assertArrayEquals(descriptors, queue.firstDescriptors());
            assertEquals(10 + OutputQueue.BOUNDARY_CHARGE + OutputQueue.DESCRIPTOR_CHARGE, queue.charge());
        }
    }

    private byte[] gather(final OutputQueue queue) {
        final int pieces = queue.gather(table);
        final ByteBuffer bytes = ByteBuffer.allocate(queue.firstLength());
        for (int i = 0; i < pieces; i++) {
            final int length = (int) IoVec.length(table, i);
            new UnsafeBuffer(IoVec.address(table, i), length).getBytes(0, bytes, length);
        }
        return Arrays.copyOf(bytes.array(), bytes.position());
    }

    private static int length(final Deque<Run> model) {
        return model.stream().mapToInt(Run::left).sum();
    }

    private static int[] events(final int count) {
        final int[] descriptors = new int[count];
        for (int i = 0; i < count; i++) {
            descriptors[i] = PosixException.check(Syscalls.eventfd(0, Constants.EFD_CLOEXEC), "eventfd");
        }
        return descriptors;
    }
}
