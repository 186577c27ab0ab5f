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
import io.vsockproxy.posix.DescriptorReserve;
import io.vsockproxy.posix.Descriptors;
import io.vsockproxy.posix.Errno;
import io.vsockproxy.posix.Memory;
import io.vsockproxy.posix.PosixException;
import io.vsockproxy.posix.SplicePipe;
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
    private static final int PAGE_LENGTH = 4096;

    private int descriptorsBefore;
    private Endpoint[] pair;
    private OutboundRing ring;
    private SplicePipe pipe;
    private final Memory page = Memory.allocate(PAGE_LENGTH);
    /** What was committed and has not been received. */
    private final ByteArrayOutputStream committed = new ByteArrayOutputStream();
    /** Where in all that was committed descriptors ride, and how many. */
    private final Deque<long[]> riding = new ArrayDeque<>();
    private long committedLength;
    private long receivedLength;
    private int splices;

    @BeforeEach
    void open() {
        assertEquals("EAGAIN", Errno.name(Errno.EAGAIN));
        descriptorsBefore = Await.stable(Descriptors::count);
        pair = Endpoint.socketPair(Constants.SOCK_STREAM);
        pair[0].setNonBlocking();
        ring = new OutboundRing(CAPACITY, DATA_LIMIT);
        pipe = SplicePipe.open(SplicePipe.OUTBOUND_CAPACITY, new DescriptorReserve(1 << 20));
    }

    @AfterEach
    void close() throws InterruptedException {
        ring.close();
        pipe.close();
        page.close();
        Endpoint.closeAll(pair);
        Descriptors.assertCount(descriptorsBefore);
    }

    @Test
    void shouldSendWhatWasCommittedInOrderWithItsDescriptors() {
        final Random random = Seeds.random("shouldSendWhatWasCommittedInOrderWithItsDescriptors");
        for (int i = 0; i < OPERATIONS; i++) {
            // Long phases in which it fills, and others in which it drains.
            final boolean filling = i % 4000 < 2000;
            switch (random.nextInt(9)) {
                case 0, 1, 2, 3 -> claimAndCommit(random);
                case 4 -> commitControl(random);
                case 5 -> flush();
                case 6 -> commitSpliced(random);
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
        assertTrue(splices > OPERATIONS / 1000, () -> "frames from a pipe: " + splices);
    }

    @Test
    void shouldHaveRoomForOneFrameFromAPipeAtATime() {
        final Random random = Seeds.random("shouldHaveRoomForOneFrameFromAPipeAtATime");
        commitSpliced(random);
        assertEquals(OutboundRing.NO_ROOM, ring.claimSpliced(MAX_HEADER_LENGTH));
        assertFalse(ring.hasDataRoom());
        flush();
        assertTrue(ring.hasDataRoom());
        assertTrue(ring.claimSpliced(MAX_HEADER_LENGTH) >= 0);
        ring.abort();
        assertEquals(0, pipe.length());
    }

    @Test
    void shouldDropWhatIsLeftInAPipe() {
        final Random random = Seeds.random("shouldDropWhatIsLeftInAPipe");
        pair[0].sendUntilStalled(new byte[1 << 16], 1 << 24);
        commitSpliced(random);
        assertEquals(-Errno.EAGAIN, ring.flush(pair[0].fd()));
        assertFalse(ring.isEmpty());
        ring.discard();
        assertEquals(0, pipe.length());
        assertEquals(0, ring.pendingBytes());
        assertTrue(ring.claimSpliced(MAX_HEADER_LENGTH) >= 0);
        ring.abort();
    }

    @Test
    void shouldSayWhyWhatIsInAPipeCannotBeSent() {
        final Random random = Seeds.random("shouldSayWhyWhatIsInAPipeCannotBeSent");
        pair[0].sendUntilStalled(new byte[1 << 16], 1 << 24);
        commitSpliced(random, SplicePipe.OUTBOUND_CAPACITY - PAGE_LENGTH);
        // A header in front of the pipe is sent, and some of the pipe's bytes or none; for the rest, the socket has no
        // reader any more.
        while (ring.pendingBytes() > pipe.length()) {
            pair[1].receive(1 << 16);
            assertEquals(-Errno.EAGAIN, ring.flush(pair[0].fd()));
        }
        pair[1].close();
        assertEquals(-Errno.EPIPE, ring.flush(pair[0].fd()));
        ring.discard();
        assertEquals(0, pipe.length());
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
        // And those that are queued when it is closed.
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

    /** A frame in the pipe, with its header there too, or in front of the pipe. */
    private void commitSpliced(final Random random) {
        commitSpliced(random, 1 + random.nextInt(8 * PAGE_LENGTH));
    }

    private void commitSpliced(final Random random, final int length) {
        final int index = ring.claimSpliced(MAX_HEADER_LENGTH);
        if (index == OutboundRing.NO_ROOM) {
            return;
        }
        final byte[] bytes = new byte[MAX_HEADER_LENGTH + length];
        random.nextBytes(bytes);
        // The header precedes the bytes in the pipe, but half of the time it turns out to be wrong.
        final boolean replaced = random.nextBoolean();
        page.buffer().putBytes(0, bytes, 0, MAX_HEADER_LENGTH);
        page.buffer().putByte(0, (byte) (replaced ? ~bytes[0] : bytes[0]));
        assertTrue(pipe.write(page.address(), MAX_HEADER_LENGTH));
        for (int at = MAX_HEADER_LENGTH; at < bytes.length; at += PAGE_LENGTH) {
            final int count = Math.min(PAGE_LENGTH, bytes.length - at);
            page.buffer().putBytes(0, bytes, at, count);
            assertTrue(pipe.write(page.address(), count));
        }
        if (replaced) {
            pipe.skip(MAX_HEADER_LENGTH);
            ring.buffer().putBytes(index, bytes, 0, MAX_HEADER_LENGTH);
            ring.commit(index, index + MAX_HEADER_LENGTH, pipe);
        } else {
            ring.abort();
            ring.commit(pipe);
        }
        committed.writeBytes(bytes);
        committedLength += bytes.length;
        splices++;
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
            // A receive may also return bytes that precede those with the descriptors, but none that follow.
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
