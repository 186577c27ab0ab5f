/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.link;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.vsockproxy.posix.Constants;
import io.vsockproxy.posix.Descriptors;
import io.vsockproxy.posix.Errno;
import io.vsockproxy.posix.PosixException;
import io.vsockproxy.posix.Syscalls;
import io.vsockproxy.testing.Await;
import io.vsockproxy.testing.Endpoint;
import io.vsockproxy.testing.Received;
import io.vsockproxy.testing.Seeds;
import java.io.ByteArrayOutputStream;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.Deque;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(value = 60, unit = TimeUnit.SECONDS)
class OutboundRingModelTest {
    private static final int CAPACITY = 64 << 10;
    private static final int DATA_LIMIT = CAPACITY / 2;
    private static final int OPERATIONS = 100_000;
    private static final int MAX_HEADER_LENGTH = 40;
    private static final int CONTROL_LENGTH = 30;

    private int descriptorsBefore;
    private Endpoint[] pair;
    private OutboundRing ring;
    /** What was committed and has not been received. */
    private final ByteArrayOutputStream committed = new ByteArrayOutputStream();
    /** Where in all that was committed descriptors ride, and how many. */
    private final Deque<long[]> riding = new ArrayDeque<>();
    private long committedLength;
    private long receivedLength;

    @BeforeEach
    void open() {
        assertEquals("EAGAIN", Errno.name(Errno.EAGAIN));
        descriptorsBefore = Await.stable(Descriptors::count);
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
    void shouldSendWhatWasCommittedInOrderWithItsDescriptors() {
        final Random random = Seeds.random("shouldSendWhatWasCommittedInOrderWithItsDescriptors");
        for (int i = 0; i < OPERATIONS; i++) {
            // Long stretches in which it fills, and others in which it drains.
            final boolean filling = i % 4000 < 2000;
            switch (random.nextInt(8)) {
                case 0, 1, 2, 3 -> claimAndCommit(random);
                case 4 -> commitControl(random);
                case 5 -> flush();
                default -> {
                    if (!filling) {
                        flush();
                        receive(random);
                    }
                }
            }
            assertEquals(committedLength - receivedLength - inSocket(), ring.pendingBytes());
        }
        while (!ring.isEmpty() || receivedLength < committedLength) {
            flush();
            receive(random);
        }
        assertEquals(0, ring.pendingBytes());
        assertTrue(riding.isEmpty());
        assertTrue(ring.hasDataRoom());
    }

    @Test
    void shouldKeepRoomForMessagesThatMustBeSent() {
        int data = 0;
        for (int index = ring.claimData(1000, 1000); index >= 0; index = ring.claimData(1000, 1000)) {
            ring.commit(index, index + 1000);
            data++;
        }
        assertEquals(DATA_LIMIT / 1000, data);
        assertFalse(ring.hasDataRoom());
        int control = 0;
        for (int index = ring.claimControl(CONTROL_LENGTH); index >= 0; index = ring.claimControl(CONTROL_LENGTH)) {
            ring.commit(index, index + CONTROL_LENGTH);
            control++;
        }
        assertTrue(control > 1000, "messages: " + control);
        assertTrue(ring.pendingBytes() <= CAPACITY);
    }

    @Test
    void shouldCloseDescriptorsThatWereNotSent() {
        for (int i = 0; i < 5; i++) {
            final int index = ring.claimData(10, 10);
            ring.commit(index, index + 10, events(3));
        }
        ring.discard();
        assertTrue(ring.isEmpty());
        assertEquals(0, ring.pendingBytes());
        assertEquals(0, ring.flush(pair[0].fd()));
        final int index = ring.claimData(10, 10);
        ring.commit(index, index + 10, events(3));
        // And those that wait when it is closed.
    }

    @Test
    void shouldRefuseACommitOutsideItsClaim() {
        final int index = ring.claimData(10, 10);
        assertThrows(IndexOutOfBoundsException.class, () -> ring.commit(index, index + 11));
        assertThrows(IndexOutOfBoundsException.class, () -> ring.commit(index - 1, index + 5));
        assertThrows(IndexOutOfBoundsException.class, () -> ring.commit(index + 5, index + 5));
        ring.commit(index + 2, index + 8);
        assertEquals(6, ring.pendingBytes());
    }

    @Test
    void shouldSayWhyNothingCanBeSent() {
        pair[1].close();
        final int index = ring.claimData(10, 10);
        ring.commit(index, index + 10);
        assertEquals(-Errno.EPIPE, ring.flush(pair[0].fd()));
    }

    /** As a blob is read in behind room for its header, which is then shorter. */
    private void claimAndCommit(final Random random) {
        final int minimum = 1 + random.nextInt(2000) + MAX_HEADER_LENGTH;
        final int maximum = minimum + random.nextInt(8000);
        final int index = ring.claimData(minimum, maximum);
        if (index == OutboundRing.NO_ROOM) {
            return;
        }
        final int claimed = ring.claimLength();
        assertTrue(claimed >= minimum && claimed <= maximum, "claimed=" + claimed);
        if (random.nextInt(5) == 0) {
            ring.abort();
            return;
        }
        final int from = index + random.nextInt(MAX_HEADER_LENGTH);
        final int to = from + 1 + random.nextInt(index + claimed - from);
        commit(random, from, to, random.nextInt(20) == 0 ? 1 + random.nextInt(4) : 0);
    }

    private void commitControl(final Random random) {
        final int index = ring.claimControl(CONTROL_LENGTH);
        if (index != OutboundRing.NO_ROOM) {
            commit(random, index, index + 1 + random.nextInt(CONTROL_LENGTH), 0);
        }
    }

    private void commit(final Random random, final int from, final int to, final int descriptors) {
        final byte[] bytes = new byte[to - from];
        random.nextBytes(bytes);
        ring.buffer().putBytes(from, bytes);
        if (descriptors == 0) {
            ring.commit(from, to);
        } else {
            ring.commit(from, to, events(descriptors));
            riding.add(new long[] {committedLength, descriptors});
        }
        committed.writeBytes(bytes);
        committedLength += bytes.length;
    }

    private void flush() {
        final int result = ring.flush(pair[0].fd());
        assertTrue(result == 0 || result == -Errno.EAGAIN, "result=" + result);
        assertEquals(result == 0, ring.isEmpty());
    }

    private void receive(final Random random) {
        if (!pair[1].isReadable()) {
            return;
        }
        final Received received = pair[1].receive(1 + random.nextInt(50_000));
        final byte[] unread = committed.toByteArray();
        final int length = received.bytes().length;
        assertArrayEquals(Arrays.copyOf(unread, length), received.bytes());
        committed.reset();
        committed.write(unread, length, unread.length - length);
        if (!received.descriptors().isEmpty()) {
            final long[] expected = riding.remove();
            assertEquals(expected[1], received.descriptors().size());
            // Bytes before those that the descriptors ride on may come in the same receive, none after.
            assertTrue(expected[0] >= receivedLength && expected[0] < receivedLength + length);
            received.descriptors().forEach(Endpoint::close);
        }
        receivedLength += length;
        assertTrue(riding.isEmpty() || riding.peek()[0] >= receivedLength, "descriptors did not come with their byte");
    }

    private long inSocket() {
        return ring.bytesSent() - receivedLength;
    }

    private static int[] events(final int count) {
        final int[] descriptors = new int[count];
        for (int i = 0; i < count; i++) {
            descriptors[i] = PosixException.check(Syscalls.eventfd(0, Constants.EFD_CLOEXEC), "eventfd");
        }
        return descriptors;
    }
}
