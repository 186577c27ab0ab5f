/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.session;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;

import io.vsockproxy.counters.CounterId;
import io.vsockproxy.counters.CounterValues;
import io.vsockproxy.posix.Constants;
import io.vsockproxy.posix.Descriptors;
import io.vsockproxy.posix.Errno;
import io.vsockproxy.proto.Close;
import io.vsockproxy.proto.FileDescriptor;
import io.vsockproxy.proto.VSockMessage;
import io.vsockproxy.testing.Endpoint;
import io.vsockproxy.testing.FileCalls;
import io.vsockproxy.testing.LogCapture;
import io.vsockproxy.testing.Messages;
import io.vsockproxy.testing.NoticePeer;
import io.vsockproxy.testing.RawPeer;
import io.vsockproxy.testing.Received;
import io.vsockproxy.wire.Notice;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * What happens to an application's FIFO that is open for reading and writing, on a link that cannot carry descriptors,
 * with peers that support such FIFOs or do not.
 */
@Timeout(value = 60, unit = TimeUnit.SECONDS)
class FifoExportTest {
    private static final int WINDOW = 1 << 20;
    private static final int PIPE_LENGTH = 64 << 10;
    private static final int FRAME_LENGTH = 128 << 10;

    private LogCapture log;
    private FuzzedProxy proxy;
    private int descriptorsBefore;
    private Session session;
    private Endpoint peer;
    private Endpoint application;
    private Endpoint fifo;
    private byte[] unread = {};

    @BeforeEach
    void start() throws IOException {
        log = new LogCapture();
        proxy = new FuzzedProxy(false);
        // The JVM opens descriptors of its own for the first message and the first log line.
        connect(true, true, 1);
        disconnect();
        descriptorsBefore = Descriptors.count();
    }

    @AfterEach
    void stop() {
        disconnect();
        assertEquals(List.of(), proxy.faults);
        proxy.turnUntil(() -> Descriptors.count() <= descriptorsBefore, Descriptors::describe);
        proxy.close();
        log.close();
    }

    @ParameterizedTest
    @CsvSource({"false, false, 0", "false, true, 1", "true, false, 0", "true, true, 0", "true, true, 254"})
    void shouldCloseOnlyTheStreamOnWhichAFifoIsSentToAPeerWithoutSupport(
        final boolean isExtended, final boolean greets, final int bits) {
        final long stream = connect(isExtended, greets, bits);
        fifo.write("not lost");
        application.send("x", fifo);
        assertEquals(stream, next().getClose().getHandle());
        log.awaitOne("is not a socket, one end of a pipe, or a regular file; this link cannot carry it");
        assertEquals("not lost", fifo.readText(8));
        assertEquals(0, session.handleCount());
        assertEquals(false, session.hasEnded());
    }

    @Test
    void shouldKeepAndCountTwoDescriptorsForEachFifo() {
        connect(true, true, 1);
        final int before = Descriptors.count();
        final long handle = passed();
        assertEquals(before + 2, Descriptors.count());
        assertEquals(1, counted(CounterId.LOCAL_FILE_HANDLES));
        assertEquals(2, counted(CounterId.FILE_DESCRIPTORS));
        say(Messages.close(handle));
        proxy.turnUntil(() -> counted(CounterId.FILE_DESCRIPTORS) == 0, () -> "the FIFO to be closed");
        assertEquals(0, counted(CounterId.LOCAL_FILE_HANDLES));
        assertEquals(before, Descriptors.count());
    }

    @Test
    void shouldBoundTheBytesOfWritesThatWait() {
        connect(true, true, 1);
        final long handle = passed();
        say(Messages.pwriteRequest(-10, handle, new byte[FRAME_LENGTH], 0));
        say(Messages.pwriteRequest(-11, handle, new byte[1], 0));
        assertEquals(-11, next().getPwriteResponse().getCookie());
        fifo.readFully(PIPE_LENGTH);
        proxy.turnUntilIdle();
        fifo.readFully(PIPE_LENGTH);
        final VSockMessage written = next();
        assertEquals(-10, written.getPwriteResponse().getCookie());
        assertEquals(FRAME_LENGTH, written.getPwriteResponse().getBytesWritten());
        say(Messages.pwriteRequest(-12, handle, new byte[1], 0));
        assertEquals(1, next().getPwriteResponse().getBytesWritten());
    }

    @Test
    void shouldTakeNothingWhenTheSessionEndsBeforeSomethingComes() {
        connect(true, true, 1);
        final long handle = passed();
        say(Messages.preadRequest(-10, handle, 100, 0));
        proxy.turnUntilIdle();
        fifo.write("left");
        session.end("because the test says so");
        proxy.turnUntilIdle();
        assertEquals("left", fifo.readText(4));
    }

    @Test
    void shouldAnswerNothingOfAStreamAsOfAFifo() {
        final long stream = connect(true, true, 1);
        say(Messages.preadRequest(-10, stream, 100, 0));
        assertEquals(Errno.ESPIPE, next().getPreadResponse().getErrorCode());
        say(NoticePeer.notice(Close.Notice.CANCEL, stream, 0));
        say(NoticePeer.notice(Close.Notice.WATCH, stream, 1, 1));
        assertEquals(Close.Notice.READY, next().getClose().getNotice());
        assertNull(take());
    }

    private long connect(final boolean isExtended, final boolean greets, final int bits) {
        final Endpoint[] pair = Endpoint.socketPair(Constants.SOCK_STREAM);
        peer = pair[1];
        unread = new byte[0];
        session = proxy.session(pair[0], true, isExtended, false);
        session.start();
        if (greets) {
            say(NoticePeer.notice(Close.Notice.GREETING, 0, WINDOW, bits));
        }
        if (isExtended) {
            // There is no mount, so this proxy accepts none.
            assertEquals(0, next().getClose().getBits() & Notice.FIFOS);
        }
        say(Messages.connectRequest(-1, proxy.targetPath().toString()));
        final long stream = next().getConnectResponse().getHandle();
        application = proxy.target.accept();
        final Endpoint[] pipe = Endpoint.pipe();
        fifo = Endpoint.of(FileCalls.reopen(pipe[0], Constants.O_RDWR), "open");
        Endpoint.closeAll(pipe);
        return stream;
    }

    private void disconnect() {
        session.close();
        Endpoint.closeAll(peer, application, fifo);
        proxy.turnUntilIdle();
    }

    private long passed() {
        application.send("x", fifo);
        final FileDescriptor entry = next().getData().getTransferredFd(0);
        assertEquals(FileDescriptor.Type.FIFO, entry.getType());
        return entry.getHandle();
    }

    private long counted(final CounterId id) {
        final CounterValues values = new CounterValues();
        session.addTo(values);
        return values.get(id);
    }

    private void say(final VSockMessage message) {
        final byte[] frame = RawPeer.frame(message);
        for (int sent = 0; sent < frame.length;) {
            sent += Math.max(0, peer.trySend(frame, sent, frame.length - sent));
            proxy.loop.turn(0);
        }
    }

    private VSockMessage next() {
        final List<VSockMessage> taken = new ArrayList<>();
        proxy.turnUntil(() -> {
            final VSockMessage message = take();
            if (message != null) {
                taken.add(message);
            }
            return message != null;
        }, () -> "a message");
        return taken.get(0);
    }

    private VSockMessage take() {
        final Received received = peer.receiveNow(FRAME_LENGTH);
        if (received != null) {
            final int before = unread.length;
            unread = Arrays.copyOf(unread, before + received.bytes().length);
            System.arraycopy(received.bytes(), 0, unread, before, received.bytes().length);
        }
        if (unread.length < Long.BYTES) {
            return null;
        }
        final int end = Long.BYTES + (int) ByteBuffer.wrap(unread).order(ByteOrder.LITTLE_ENDIAN).getLong();
        if (unread.length < end) {
            return null;
        }
        try {
            return VSockMessage.parseFrom(Arrays.copyOfRange(unread, Long.BYTES, end));
        } catch (final IOException e) {
            throw new AssertionError(e);
        } finally {
            unread = Arrays.copyOfRange(unread, end, unread.length);
        }
    }
}
