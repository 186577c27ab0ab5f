/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.it;

import static io.vsockproxy.proto.FileDescriptor.Type.FIFO_READ;
import static io.vsockproxy.proto.FileDescriptor.Type.SOCKET_SEQPACKET;
import static io.vsockproxy.proto.FileDescriptor.Type.TRANSPORTABLE;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import io.vsockproxy.posix.Errno;
import io.vsockproxy.proto.VSockMessage;
import io.vsockproxy.testing.Endpoint;
import io.vsockproxy.testing.Messages;
import io.vsockproxy.testing.NeedsUnixLink;
import io.vsockproxy.testing.Pattern;
import io.vsockproxy.testing.RawPeer;
import io.vsockproxy.testing.Received;
import io.vsockproxy.testing.RunningHost;
import io.vsockproxy.testing.RunningHost.Connection;
import io.vsockproxy.testing.RunsOverVsock;
import java.util.Arrays;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Frames that arrive in pieces of many lengths.
 */
@RunsOverVsock
@Timeout(value = 60, unit = TimeUnit.SECONDS)
class FramingTest {
    @RegisterExtension
    static final RunningHost HOST = new RunningHost();

    @Test
    void shouldUnderstandAGuestThatSendsOneByteAtATime() {
        final RawPeer guest = HOST.guest();
        sendSlowly(guest, RawPeer.frame(Messages.connectRequest(-1, HOST.targetPath().toString())));
        final Endpoint application = HOST.closing(HOST.target().accept());
        final long handle = guest.receive().getConnectResponse().getHandle();
        sendSlowly(guest, RawPeer.frame(Messages.data(handle, "with a pipe", Messages.descriptor(FIFO_READ, -2))));
        final Received received = application.receive();
        HOST.closing(received.only());
        assertEquals("with a pipe", received.text());
        sendSlowly(guest, RawPeer.frames(Messages.data(-2, "into the pipe"), Messages.close(-2)));
        assertEquals("into the pipe", received.only().readText(13));
        received.only().expectEnd();
        sendSlowly(guest, RawPeer.frame(Messages.close(handle)));
        application.expectEnd();
    }

    @Test
    @NeedsUnixLink
    void shouldUnderstandFramesCutInTwoAnywhere() {
        final RawPeer guest = HOST.guest();
        final Connection connection = HOST.connect(guest);
        final Endpoint event = HOST.closing(Endpoint.eventfd(0));
        final byte[] frames = frames(connection.handle());
        for (int cut = 1; cut < frames.length; cut++) {
            guest.link().send(Arrays.copyOf(frames, cut), event);
            guest.link().awaitTaken();
            guest.send(Arrays.copyOfRange(frames, cut, frames.length));
            expectFrames(guest, connection);
        }
    }

    @Test
    void shouldUnderstandHundredsOfFramesInOnePiece() {
        final RawPeer guest = HOST.guest();
        final Connection connection = HOST.connect(guest);
        final VSockMessage[] messages = new VSockMessage[700];
        final StringBuilder expected = new StringBuilder();
        for (int i = 0; i < messages.length; i++) {
            final String text = i + "/";
            messages[i] = i % 7 == 0 ? Messages.close(-1000 - i) : Messages.data(connection.handle(), text);
            expected.append(i % 7 == 0 ? "" : text);
        }
        guest.send(RawPeer.frames(messages));
        assertEquals(expected.toString(), connection.application().readText(expected.length()));
    }

    @ParameterizedTest
    @ValueSource(ints = {3 << 20, 10 << 20})
    void shouldPassOnAFrameLargerThanTheInboundWindow(final int length) {
        final RawPeer guest = HOST.guest();
        final Connection connection = HOST.connect(guest);
        final byte[] bytes = Pattern.bytes(length, length);
        final Thread sender = new Thread(() -> guest.send(
            RawPeer.frames(Messages.data(connection.handle(), bytes), Messages.data(connection.handle(), "after"))));
        sender.start();
        assertArrayEquals(bytes, connection.application().readFully(length));
        assertEquals("after", connection.application().readText(5));
    }

    @Test
    void shouldPassOnTheFirstPartOfALargeFrameBeforeTheRestHasCome() {
        final RawPeer guest = HOST.guest();
        final Connection connection = HOST.connect(guest);
        final byte[] frame = RawPeer.frame(Messages.data(connection.handle(), Pattern.bytes(1, 100_000)));
        guest.send(Arrays.copyOf(frame, 50_000));
        connection.application().readFully(49_000);
        guest.send(Arrays.copyOfRange(frame, 50_000, frame.length));
        connection.application().readFully(51_000);
    }

    @Test
    void shouldDropTheRestOfALargeFrameWhoseStreamHasGone() {
        final RawPeer guest = HOST.guest();
        final Connection connection = HOST.connect(guest);
        final byte[] frame = RawPeer.frame(Messages.data(connection.handle(), Pattern.bytes(1, 1_000_000)));
        guest.send(Arrays.copyOf(frame, 500_000));
        connection.application().readFully(1000);
        connection.application().close();
        guest.send(Arrays.copyOfRange(frame, 500_000, frame.length));
        assertEquals(connection.handle(), guest.receive().getClose().getHandle());
        expectAnswer(guest);
    }

    @Test
    void shouldDeliverAllThatIsQueuedWhenThePeerClosesTheStream() {
        final RawPeer guest = HOST.guest();
        final Connection connection = HOST.connect(guest);
        final byte[] bytes = Pattern.bytes(9, 3 << 20);
        guest.send(RawPeer.frames(Messages.data(connection.handle(), bytes), Messages.close(connection.handle())));
        guest.link().awaitTaken();
        assertArrayEquals(bytes, connection.application().readToEnd());
    }

    @ParameterizedTest
    @ValueSource(ints = {3 << 20, 10 << 20})
    @NeedsUnixLink
    void shouldPassOnALargeFrameWithDescriptors(final int length) {
        final RawPeer guest = HOST.guest();
        final Connection connection = HOST.connect(guest);
        final byte[] bytes = Pattern.bytes(length, length);
        final Endpoint event = HOST.closing(Endpoint.eventfd(0));
        final Thread sender = new Thread(() -> guest.send(Messages.data(connection.handle(), bytes,
            Messages.descriptor(TRANSPORTABLE, 0), Messages.descriptor(FIFO_READ, -1)), event));
        sender.start();
        final Received first = connection.application().receive(1);
        first.descriptors().forEach(HOST::closing);
        assertEquals(2, first.descriptors().size());
        assertEquals(bytes[0], first.bytes()[0]);
        assertArrayEquals(
            Arrays.copyOfRange(bytes, 1, length), connection.application().readFully(length - 1));
    }

    @Test
    void shouldKeepPacketsWhole() {
        final RawPeer guest = HOST.guest();
        final Connection connection = HOST.connect(guest);
        guest.send(Messages.data(connection.handle(), "x", Messages.descriptor(SOCKET_SEQPACKET, -1)));
        final Endpoint packets = HOST.closing(connection.application().receive().only());
        final byte[] large = Pattern.bytes(3, 150_000);
        final byte[] frame = RawPeer.frame(Messages.data(-1, large));
        guest.send(Arrays.copyOf(frame, 100_000));
        guest.link().awaitTaken();
        guest.send(Arrays.copyOfRange(frame, 100_000, frame.length));
        guest.send(RawPeer.frames(Messages.data(-1, ""), Messages.data(-1, "a"), Messages.data(-1, "bc")));
        assertArrayEquals(large, packets.receive().bytes());
        assertEquals("", packets.receive().text());
        assertEquals("a", packets.receive().text());
        assertEquals("bc", packets.receive().text());
    }

    private static byte[] frames(final long handle) {
        return RawPeer.frames(
            Messages.data(handle, "first", Messages.descriptor(TRANSPORTABLE, 0)),
            Messages.connectRequest(-3, "/not/allowed"),
            Messages.data(handle, "second"),
            Messages.fstatRequest(-4, 99));
    }

    private static void expectFrames(final RawPeer guest, final Connection connection) {
        final Received received = connection.application().receive(5);
        assertEquals("first", received.text());
        received.only().close();
        assertEquals("second", connection.application().readText(6));
        assertEquals(Errno.EACCES, guest.receive().getConnectResponse().getErrorCode());
        assertEquals(Errno.EBADF, guest.receive().getFstatResponse().getErrorCode());
    }

    private static void expectAnswer(final RawPeer guest) {
        guest.send(Messages.fstatRequest(-2, 424242));
        assertEquals(Errno.EBADF, guest.receive().getFstatResponse().getErrorCode());
    }

    private static void sendSlowly(final RawPeer guest, final byte[] bytes) {
        for (final byte b : bytes) {
            guest.send(new byte[] {b});
            guest.link().awaitTaken();
        }
    }
}
