/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.stream;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.vsockproxy.loop.EventLoop;
import io.vsockproxy.testing.Allocations;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import org.agrona.DirectBuffer;
import org.agrona.concurrent.UnsafeBuffer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class WaitingStreamsTest {
    private static final int STREAMS = 5;
    private static final int ROUNDS = 10_000;

    private final List<Throwable> faults = new ArrayList<>();
    private final WaitingStreams waiting = new WaitingStreams();
    private final UnsafeBuffer bytes = new UnsafeBuffer(ByteBuffer.allocateDirect(1));
    private final List<Long> resumed = new ArrayList<>();
    private EventLoop loop;
    private ChunkPool pool;
    private TakingHandler handler;
    private Waiting[] streams;

    /** An end that takes nothing, and can be told to find no room again. */
    private static final class Waiting extends Stream {
        private final WaitingStreams waiting;
        private final List<Long> resumed;
        private boolean comesBack;

        Waiting(final long handle, final EventLoop loop, final ChunkPool pool, final TakingHandler handler,
            final WaitingStreams waiting, final List<Long> resumed) {
            super(loop, StreamKind.SOCKET_STREAM, handle, pool, handler);
            this.waiting = waiting;
            this.resumed = resumed;
        }

        @Override
        public void start() {
            // Nothing to watch.
        }

        @Override
        public boolean hasInput() {
            return true;
        }

        @Override
        void wantReading(final boolean wanted) {
            if (wanted) {
                resumed.add(handle());
                if (comesBack) {
                    waiting.add(this);
                }
            }
        }

        @Override
        void wantDraining(final boolean wanted) {
            // Takes nothing.
        }

        @Override
        void deliverNow(final DirectBuffer buffer, final int offset, final int length, final int[] descriptors) {
            enqueue(buffer, offset, length, descriptors);
        }

        @Override
        void endOutput() {
            // Nobody reads.
        }

        @Override
        void release() {
            // Nothing to release.
        }
    }

    @BeforeEach
    void letThemWait() {
        loop = new EventLoop(0, faults::add);
        pool = new ChunkPool();
        handler = new TakingHandler();
        streams = new Waiting[STREAMS];
        for (int i = 0; i < STREAMS; i++) {
            streams[i] = new Waiting(i, loop, pool, handler, waiting, resumed);
            waiting.add(streams[i]);
        }
    }

    @AfterEach
    void close() {
        for (final Waiting stream : streams) {
            stream.close();
        }
        handler.close();
        pool.close();
        loop.close();
        assertEquals(List.of(), faults);
        assertEquals(0, waiting.size());
    }

    @Test
    void shouldResumeThemInTheOrderInWhichTheyCame() {
        waiting.resumeReading();
        assertEquals(List.of(0L, 1L, 2L, 3L, 4L), resumed);
        assertEquals(0, waiting.size());
    }

    @Test
    void shouldResumeOnceWhatCameTwice() {
        waiting.add(streams[2]);
        assertEquals(STREAMS, waiting.size());
        waiting.resumeReading();
        assertEquals(List.of(0L, 1L, 2L, 3L, 4L), resumed);
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 2, 4})
    void shouldForgetAStreamThatCloses(final int index) {
        streams[index].close();
        assertEquals(STREAMS - 1, waiting.size());
        waiting.resumeReading();
        final List<Long> others = new ArrayList<>(List.of(0L, 1L, 2L, 3L, 4L));
        others.remove((Long) (long) index);
        assertEquals(others, resumed);
    }

    @Test
    void shouldForgetAStreamThatOnlyWaitsForItsReader() {
        streams[1].deliver(bytes, 0, 1);
        streams[1].finish();
        assertTrue(streams[1].isFinishing());
        assertEquals(STREAMS - 1, waiting.size());
        waiting.resumeReading();
        assertEquals(List.of(0L, 2L, 3L, 4L), resumed);
    }

    @Test
    void shouldKeepThoseThatFindNoRoomAgainBehindTheOthers() {
        streams[0].comesBack = true;
        streams[3].comesBack = true;
        waiting.resumeReading();
        assertEquals(2, waiting.size());
        waiting.add(streams[2]);
        resumed.clear();
        streams[0].comesBack = false;
        streams[3].comesBack = false;
        waiting.resumeReading();
        assertEquals(List.of(0L, 3L, 2L), resumed);
    }

    @Test
    void shouldNotAllocate() {
        Allocations.assertNone(ROUNDS, this::comeAndGo);
    }

    private void comeAndGo(final int rounds) {
        for (int round = 0; round < rounds; round++) {
            waiting.clear();
            for (int i = 0; i < STREAMS; i++) {
                waiting.add(streams[i]);
            }
        }
    }
}
