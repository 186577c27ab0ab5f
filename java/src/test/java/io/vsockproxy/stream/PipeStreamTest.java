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
import io.vsockproxy.posix.Descriptors;
import io.vsockproxy.posix.OwnedFd;
import io.vsockproxy.posix.Paths;
import io.vsockproxy.posix.PosixException;
import io.vsockproxy.testing.Await;
import io.vsockproxy.testing.Endpoint;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Reading named FIFOs, which are opened again for that.
 */
@Timeout(value = 60, unit = TimeUnit.SECONDS)
class PipeStreamTest {
    private static final long HANDLE = 7;
    private static final int READ_LENGTH = 16 * 1024;
    /** What a pipe holds by default. */
    private static final int CAPACITY = 4 * READ_LENGTH;
    private static final int MANY_PIECES = 100;
    private static final long SHORT_NS = TimeUnit.MILLISECONDS.toNanos(10);
    private static final long LONG_NS = TimeUnit.SECONDS.toNanos(30);

    private final List<Throwable> faults = new ArrayList<>();
    @TempDir
    private Path directory;
    private int descriptorsBefore;
    private EventLoop loop;
    private StreamCommons commons;
    private Path fifo;
    private int refills;
    private Endpoint writer;

    /** Has an application write as much as is read, while there are refills. */
    private final class RefillingHandler extends TakingHandler {
        @Override
        public void commit(final Stream stream, final int length, final ControlData control) {
            super.commit(stream, length, control);
            if (refills > 0) {
                refills--;
                writer.write(new byte[length]);
            }
        }
    }

    @BeforeEach
    void open() throws Exception {
        Endpoint.closeAll(Endpoint.pipe());
        fifo = directory.resolve("fifo");
        assertEquals(0, new ProcessBuilder("mkfifo", fifo.toString()).start().waitFor());
        descriptorsBefore = Await.stable(Descriptors::count);
        loop = new EventLoop(0, faults::add);
        commons = new StreamCommons(loop, CAPACITY);
    }

    @AfterEach
    void close() throws InterruptedException {
        writer.close();
        commons.close();
        loop.close();
        assertEquals(List.of(), faults);
        Descriptors.assertCount(descriptorsBefore);
    }

    @Test
    void shouldReadABoundedAmountInATurnFromAFastWriterAndTheRestLater() {
        refills = MANY_PIECES;
        try (RefillingHandler handler = new RefillingHandler(); PipeStream stream = reader(handler)) {
            writer.write(new byte[CAPACITY]);
            stream.start();
            loop.turn(LONG_NS);
            assertTrue(handler.taken() > 0 && handler.taken() <= 2 * READ_LENGTH, () -> "" + handler.taken());
            final int total = CAPACITY + MANY_PIECES * READ_LENGTH;
            for (int turns = 0; turns < 2 * MANY_PIECES && handler.taken() < total; turns++) {
                loop.turn(LONG_NS);
            }
            assertEquals(total, handler.taken());
            writer.close();
            awaitEnd(handler);
        }
    }

    /** Of such a FIFO the end shows only when it is read. */
    @ParameterizedTest
    @ValueSource(ints = {1, READ_LENGTH - 1, READ_LENGTH, READ_LENGTH + 1, 2 * READ_LENGTH, CAPACITY})
    void shouldFindTheEndEvenIfTheLastWriterClosedBeforeTheFirstRead(final int length) {
        try (TakingHandler handler = new TakingHandler(); PipeStream stream = reader(handler)) {
            writer.write(new byte[length]);
            writer.close();
            stream.start();
            awaitEnd(handler);
            assertEquals(length, handler.taken());
        }
    }

    @Test
    void shouldFindTheEndEvenIfThereWasNoRoomWhenOnlyThatWasLeft() {
        try (TakingHandler handler = new TakingHandler(); PipeStream stream = reader(handler)) {
            handler.room(READ_LENGTH);
            writer.write(new byte[READ_LENGTH]);
            writer.close();
            stream.start();
            loop.turn(LONG_NS);
            assertEquals(READ_LENGTH, handler.taken());
            assertEquals(List.of(), handler.ended());
            handler.room(Integer.MAX_VALUE);
            stream.resumeReading();
            awaitEnd(handler);
        }
    }

    @Test
    void shouldReadAPacketWholeThoughThereIsCreditForLess() {
        final Endpoint[] pipe = Endpoint.packetPipe();
        writer = pipe[1];
        final OwnedFd end = OwnedFd.of(pipe[0].fd());
        try (TakingHandler handler = new TakingHandler(); PipeStream stream = new PipeStream(
            loop, StreamKind.PIPE_READER, HANDLE, end, READ_LENGTH, commons, handler)) {
            stream.credit(new Credit(false, 1, READ_LENGTH));
            writer.write(new byte[PipeStream.MAX_PACKET_LENGTH]);
            writer.write(new byte[2]);
            stream.start();
            Await.until(() -> {
                loop.turn(SHORT_NS);
                return handler.taken() > 0;
            }, () -> "a packet");
            assertEquals(PipeStream.MAX_PACKET_LENGTH, handler.taken());
            stream.allow(2L * PipeStream.MAX_PACKET_LENGTH);
            writer.close();
            awaitEnd(handler);
            assertEquals(PipeStream.MAX_PACKET_LENGTH + 2, handler.taken());
        }
    }

    private PipeStream reader(final StreamHandler handler) {
        final int access = Constants.O_CLOEXEC | Constants.O_NONBLOCK;
        final OwnedFd end = OwnedFd.of(
            PosixException.check(Paths.open(fifo.toString(), Constants.O_RDONLY | access), "open"));
        writer = Endpoint.open(fifo, Constants.O_WRONLY);
        return new PipeStream(loop, StreamKind.PIPE_READER, HANDLE, end, READ_LENGTH, commons, handler);
    }

    private void awaitEnd(final TakingHandler handler) {
        Await.until(() -> {
            loop.turn(SHORT_NS);
            return !handler.ended().isEmpty();
        }, () -> "the end, taken=" + handler.taken());
        assertEquals(List.of(HANDLE), handler.ended());
    }
}
