/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.stream;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.vsockproxy.loop.EventLoop;
import io.vsockproxy.posix.Constants;
import io.vsockproxy.posix.ControlData;
import io.vsockproxy.posix.DescriptorReserve;
import io.vsockproxy.posix.Descriptors;
import io.vsockproxy.posix.OwnedFd;
import io.vsockproxy.posix.SplicePipe;
import io.vsockproxy.posix.Syscalls;
import io.vsockproxy.testing.Await;
import io.vsockproxy.testing.Endpoint;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * When a socket's bytes are spliced to the link instead of being read.
 */
@Timeout(value = 60, unit = TimeUnit.SECONDS)
class SocketStreamSpliceTest {
    private static final int READ_LENGTH = 64 * 1024;
    private static final int LARGE = 48 * 1024;
    private static final int SMALL = 100;
    private static final long TURN_NS = TimeUnit.MILLISECONDS.toNanos(10);

    private final List<Throwable> faults = new ArrayList<>();
    private int descriptorsBefore;
    private EventLoop loop;
    private StreamCommons commons;
    private MovingHandler handler;
    private Endpoint[] pair;
    private SocketStream stream;

    /** A session that takes what is moved, and counts it. */
    private static final class MovingHandler extends TakingHandler {
        private final SplicePipe pipe =
            SplicePipe.open(SplicePipe.OUTBOUND_CAPACITY, new DescriptorReserve(1 << 20));
        private int claims;
        private int moved;
        private int descriptors;
        private boolean full;

        @Override
        public boolean takesSplices() {
            return true;
        }

        @Override
        public SplicePipe claimPipe(final Stream from, final int length) {
            claims++;
            return full ? null : pipe;
        }

        @Override
        public void commitPipe(final Stream from, final int length) {
            assertEquals(length, pipe.length());
            moved += length;
            pipe.discard();
        }

        @Override
        public void commit(final Stream from, final int length, final ControlData control) {
            super.commit(from, length, control);
            if (control != null) {
                descriptors += control.count();
                control.closeAll();
            }
        }

        int total() {
            return taken() + moved;
        }
    }

    @BeforeEach
    void open() {
        Endpoint.eventfd(0).close();
        descriptorsBefore = Await.stable(Descriptors::count);
        loop = new EventLoop(0, faults::add);
        commons = new StreamCommons(loop, READ_LENGTH);
        handler = new MovingHandler();
        pair = Endpoint.socketPair(Constants.SOCK_STREAM);
    }

    @AfterEach
    void close() throws InterruptedException {
        stream.close();
        handler.pipe.close();
        handler.close();
        commons.close();
        loop.close();
        Endpoint.closeAll(pair);
        assertEquals(List.of(), faults);
        Descriptors.assertCount(descriptorsBefore);
    }

    @ParameterizedTest
    @EnumSource(names = {"PROXY", "STAND_IN"})
    void shouldMoveWhatAnApplicationWritesInLargePiecesOnceItHasSeenOne(final Origin origin) {
        start(origin);
        for (int i = 0; i < 10; i++) {
            sendAndTurn(new byte[LARGE]);
        }
        assertEquals(9 * LARGE, handler.moved);
        assertEquals(LARGE, handler.taken());
    }

    @ParameterizedTest
    @EnumSource(names = {"APPLICATION", "APPLICATION_UNIX"})
    void shouldReadWhatOthersMayReadAsWell(final Origin origin) {
        start(origin);
        for (int i = 0; i < 10; i++) {
            sendAndTurn(new byte[LARGE]);
        }
        assertEquals(10 * LARGE, handler.taken());
    }

    @Test
    void shouldReadWhatHasDescriptorsWithIt() {
        start(Origin.PROXY);
        sendAndTurn(new byte[LARGE]);
        sendAndTurn(new byte[LARGE]);
        assertEquals(LARGE, handler.moved);
        try (Endpoint event = Endpoint.eventfd(0)) {
            pair[0].send(new byte[LARGE / 2]);
            pair[0].send(new byte[LARGE / 2], event);
        }
        turnUntil(3 * LARGE);
        assertEquals(LARGE, handler.moved);
        assertEquals(1, handler.descriptors);
    }

    @Test
    void shouldReadSmallPiecesForAWhileBeforeItTriesAgain() {
        start(Origin.PROXY);
        sendAndTurn(new byte[LARGE]);
        int total = LARGE;
        for (int i = 0; i < 100; i++) {
            // More writes than the pipe has room for.
            for (int sent = 0; sent < LARGE / 2 + SMALL; sent += SMALL) {
                pair[0].send(new byte[SMALL]);
                total += SMALL;
            }
            turnUntil(total);
        }
        assertTrue(handler.claims >= 1 && handler.claims <= 3, () -> "claims: " + handler.claims);
        for (int i = 0; i < 100; i++) {
            sendAndTurn(new byte[LARGE]);
        }
        assertTrue(handler.moved > 30 * LARGE, () -> "moved: " + handler.moved);
    }

    @Test
    void shouldStopWhileThereIsNoRoomAndGoOnWhenThereIs() {
        start(Origin.PROXY);
        sendAndTurn(new byte[LARGE]);
        handler.full = true;
        pair[0].send(new byte[LARGE]);
        loop.turn(TURN_NS);
        loop.turn(TURN_NS);
        assertEquals(1, handler.claims);
        assertEquals(LARGE, handler.total());
        handler.full = false;
        stream.resumeReading();
        turnUntil(2 * LARGE);
        assertEquals(LARGE, handler.moved);
    }

    @Test
    void shouldMoveNoMoreThanFlowControlAllows() {
        open(Origin.PROXY);
        stream.credit(new Credit(false, LARGE + LARGE / 2, LARGE));
        stream.start();
        sendAndTurn(new byte[LARGE]);
        pair[0].send(new byte[LARGE]);
        turnUntil(LARGE + LARGE / 2);
        loop.turn(TURN_NS);
        assertEquals(LARGE / 2, handler.moved);
        assertEquals(LARGE, handler.taken());
        stream.allow(LARGE);
        turnUntil(2 * LARGE);
    }

    private void start(final Origin origin) {
        open(origin);
        stream.start();
    }

    private void open(final Origin origin) {
        final OwnedFd local = OwnedFd.of(Syscalls.fcntl(pair[1].fd(), Constants.F_DUPFD_CLOEXEC, 0));
        pair[1].setNonBlocking();
        stream = new SocketStream(
            loop, StreamKind.SOCKET_STREAM, 1, local, origin, READ_LENGTH, commons, handler);
    }

    private void sendAndTurn(final byte[] bytes) {
        final int total = handler.total() + bytes.length;
        pair[0].send(bytes);
        turnUntil(total);
    }

    private void turnUntil(final int total) {
        for (int turns = 0; turns < 1000 && handler.total() < total; turns++) {
            loop.turn(TURN_NS);
        }
        assertEquals(total, handler.total());
    }
}
