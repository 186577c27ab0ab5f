/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.posix;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.vsockproxy.testing.Endpoint;
import io.vsockproxy.testing.Pattern;
import java.util.Arrays;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(value = 20, unit = TimeUnit.SECONDS)
class SplicePipeTest {
    private static final int LENGTH = 50_000;
    private static final int PAGE_LENGTH = 4096;

    private Endpoint[] from;
    private Endpoint[] to;
    private SplicePipe pipe;
    private int descriptorsBefore;

    @BeforeEach
    void open() {
        descriptorsBefore = Descriptors.count();
        from = Endpoint.socketPair(Constants.SOCK_STREAM);
        to = Endpoint.socketPair(Constants.SOCK_STREAM);
        from[1].setNonBlocking();
        to[0].setNonBlocking();
        pipe = SplicePipe.open(SplicePipe.INBOUND_CAPACITY, new DescriptorReserve(1 << 20));
    }

    @AfterEach
    void close() throws InterruptedException {
        pipe.close();
        Endpoint.closeAll(from);
        Endpoint.closeAll(to);
        Descriptors.assertCount(descriptorsBefore);
    }

    @Test
    void shouldMoveBytesFromOneSocketToAnother() {
        from[0].send(Pattern.bytes(1, LENGTH));
        assertEquals(LENGTH, fillWith(LENGTH));
        assertEquals(LENGTH, pipe.drainTo(to[0].fd()));
        assertEquals(0, pipe.length());
        assertArrayEquals(Pattern.bytes(1, LENGTH), to[1].readFully(LENGTH));
    }

    @Test
    void shouldLeaveWhatIsBeyondTheMaximum() {
        from[0].send(Pattern.bytes(1, LENGTH));
        assertEquals(LENGTH - 100, fillWith(LENGTH - 100));
        assertArrayEquals(
            Arrays.copyOfRange(Pattern.bytes(1, LENGTH), LENGTH - 100, LENGTH), from[1].readFully(100));
        pipe.discard();
        assertEquals(0, pipe.length());
    }

    @Test
    void shouldSkipWhatWasWrittenInFrontOfBytesFromASocket() {
        try (Memory header = Memory.allocate(2)) {
            header.buffer().putBytes(0, new byte[] {7, 8});
            assertTrue(pipe.write(header.address(), 2));
        }
        from[0].send(Pattern.bytes(1, LENGTH));
        assertEquals(LENGTH, fillWith(LENGTH));
        assertEquals(LENGTH + 2, pipe.length());
        pipe.skip(0);
        pipe.skip(2);
        assertEquals(LENGTH, pipe.drainTo(to[0].fd()));
        assertArrayEquals(Pattern.bytes(1, LENGTH), to[1].readFully(LENGTH));
    }

    @Test
    void shouldSayThatItIsFull() {
        try (Memory page = Memory.allocate(PAGE_LENGTH)) {
            int writes = 0;
            while (pipe.write(page.address(), PAGE_LENGTH)) {
                writes++;
                assertTrue(writes <= SplicePipe.INBOUND_CAPACITY / PAGE_LENGTH, "full");
            }
            assertTrue(writes > 0, "some room");
            assertEquals(writes * PAGE_LENGTH, pipe.length());
        }
        pipe.discard();
        assertEquals(0, pipe.length());
    }

    @Test
    void shouldTellNothingFromTheEnd() {
        assertEquals(-Errno.EAGAIN, pipe.fill(from[1].fd(), LENGTH));
        from[0].close();
        assertEquals(0, pipe.fill(from[1].fd(), LENGTH));
    }

    @Test
    void shouldKeepWhatASocketDoesNotTakeToBeRead() {
        final byte[] filler = new byte[1 << 16];
        final long filled = to[0].sendUntilStalled(filler, 1 << 24);
        from[0].send(Pattern.bytes(1, LENGTH));
        fillWith(LENGTH);
        final int taken = pipe.drainTo(to[0].fd());
        assertTrue(taken >= 0 && taken < LENGTH, "taken=" + taken);
        assertEquals(LENGTH - taken, pipe.length());
        final byte[] rest = new byte[pipe.length()];
        assertEquals(rest.length, pipe.read());
        pipe.piece().getBytes(0, rest);
        assertArrayEquals(Arrays.copyOfRange(Pattern.bytes(1, LENGTH), taken, LENGTH), rest);
        assertEquals((int) filled + taken, to[1].readFully((int) filled + taken).length);
    }

    @Test
    void shouldSayThatTheOtherEndOfASocketIsGone() {
        to[1].close();
        from[0].send(Pattern.bytes(1, LENGTH));
        fillWith(LENGTH);
        assertEquals(-Errno.EPIPE, pipe.drainTo(to[0].fd()));
        pipe.discard();
    }

    @Test
    void shouldNotTakeSpareDescriptors() throws InterruptedException {
        final int before = Descriptors.count();
        assertNull(SplicePipe.open(SplicePipe.INBOUND_CAPACITY, new DescriptorReserve(8)));
        Descriptors.assertCount(before);
    }

    private int fillWith(final int length) {
        int filled = 0;
        while (filled < length) {
            filled += PosixException.check(pipe.fill(from[1].fd(), length - filled), "splice");
        }
        return filled;
    }
}
