/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.it;

import static io.vsockproxy.proto.FileDescriptor.Type.FIFO_READ;
import static io.vsockproxy.proto.FileDescriptor.Type.FIFO_WRITE;
import static io.vsockproxy.proto.FileDescriptor.Type.REGULAR_FILE;
import static io.vsockproxy.proto.FileDescriptor.Type.SOCKET_DGRAM;
import static io.vsockproxy.proto.FileDescriptor.Type.SOCKET_STREAM;
import static io.vsockproxy.proto.FileDescriptor.Type.TRANSPORTABLE;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.vsockproxy.posix.Constants;
import io.vsockproxy.posix.Descriptors;
import io.vsockproxy.posix.Errno;
import io.vsockproxy.proto.FileDescriptor;
import io.vsockproxy.testing.Endpoint;
import io.vsockproxy.testing.Messages;
import io.vsockproxy.testing.RawPeer;
import io.vsockproxy.testing.Received;
import io.vsockproxy.testing.RunningGuest;
import io.vsockproxy.testing.RunningHost;
import io.vsockproxy.testing.RunningHost.Connection;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Descriptors that a guest should not have listed or sent.
 */
@Timeout(value = 60, unit = TimeUnit.SECONDS)
class BadDescriptorsTest {
    private static final int MAX_DESCRIPTORS = 253;

    @RegisterExtension
    static final RunningHost HOST = new RunningHost();

    @ParameterizedTest
    @ValueSource(longs = {0, 1, Long.MAX_VALUE})
    void shouldEndTheSessionWhenAHandleIsZeroOrOfTheWrongSign(final long handle) {
        final String line = sessionEnd((guest, connection) -> guest.send(Messages.data(
            connection.handle(), "x", descriptor(FIFO_READ, -5), descriptor(SOCKET_STREAM, handle))));
        assertTrue(line.contains("frame 2: descriptor 2 of 2 has handle " + handle + ","), line);
    }

    @ParameterizedTest
    @EnumSource(
        value = FileDescriptor.Type.class, names = {"UNRECOGNIZED", "TRANSPORTABLE", "FIFO"},
        mode = EnumSource.Mode.EXCLUDE)
    void shouldEndTheSessionWhenAHandleComesTwiceInOneMessage(final FileDescriptor.Type type) {
        final String line = sessionEnd((guest, connection) -> guest.send(Messages.data(
            connection.handle(), "x", descriptor(FIFO_WRITE, -5), descriptor(type, -5))));
        assertTrue(line.contains("descriptor 2 of 2 has handle -5,"), line);
    }

    @Test
    void shouldEndTheSessionWhenAHandleIsInUse() {
        final String line = sessionEnd((guest, connection) -> {
            guest.send(Messages.data(connection.handle(), "x", descriptor(SOCKET_STREAM, -5)));
            HOST.closing(connection.application().receive().only());
            guest.send(Messages.data(connection.handle(), "y", descriptor(FIFO_READ, -5)));
        });
        assertTrue(line.contains("frame 3: descriptor 1 of 1 has handle -5,"), line);
    }

    @ParameterizedTest
    @ValueSource(ints = {7, 1000, -1})
    void shouldEndTheSessionWhenATypeIsUnknown(final int type) {
        final String line = sessionEnd((guest, connection) -> guest.send(Messages.data(connection.handle(), "x",
            FileDescriptor.newBuilder().setTypeValue(type).setHandle(-5).build())));
        assertTrue(line.contains("descriptor 1 of 1 has unknown type " + type), line);
    }

    @Test
    void shouldEndTheSessionWhenAMessageListsMoreDescriptorsThanOneCanCarry() {
        final String line = sessionEnd((guest, connection) ->
            guest.send(Messages.data(connection.handle(), "x", fifos(-1, MAX_DESCRIPTORS + 1))));
        assertTrue(line.contains("too many descriptors: count=254, max=253"), line);
    }

    @Test
    void shouldDeliverAsManyDescriptorsAsOneMessageCanCarry() {
        final RawPeer guest = HOST.guest();
        final Connection connection = HOST.connect(guest);
        guest.send(Messages.data(connection.handle(), "x", fifos(-1, MAX_DESCRIPTORS)));
        final Received received = connection.application().receive();
        received.descriptors().forEach(HOST::closing);
        assertEquals(MAX_DESCRIPTORS, received.descriptors().size());
        guest.send(Messages.data(-100, "one hundred"));
        assertEquals("one hundred", received.descriptors().get(99).readText(11));
    }

    @ParameterizedTest
    @ValueSource(longs = {0, 1, 77})
    void shouldEndTheSessionWhenAConnectResponseHasABadHandle(final long handle) {
        // Only a guest's proxy sends requests to a raw host, so here the guest gets a bad handle.
        try (RunningGuest guest = new RunningGuest()) {
            final Endpoint application = HOST.closing(guest.connectApplication());
            final long cookie = guest.host().receive().getConnectRequest().getCookie();
            assertTrue(cookie < 0);
            guest.host().send(Messages.connectResponse(cookie, 0, -handle));
            guest.host().expectEnd();
            application.expectEnd();
        }
        final List<String> lines = HOST.log().linesWith("session ended: frame 1: ConnectResponse with handle "
            + -handle + ",");
        assertEquals(1, lines.size(), () -> HOST.log().linesWith("").toString());
    }

    @Test
    void shouldTellTheOwnerToCloseDescriptorsThatArriveForAnUnknownHandle() {
        final RawPeer guest = HOST.guest();
        final Endpoint[] pipe = HOST.closing(Endpoint.pipe());
        guest.send(
            Messages.data(4711, "x", descriptor(SOCKET_STREAM, -1), descriptor(REGULAR_FILE, -2),
                descriptor(TRANSPORTABLE, 0), descriptor(FIFO_READ, -3)),
            pipe[1]);
        pipe[1].close();
        expectCloses(guest, -1, -2, -3);
        // The host has closed the one that came along, which was the last write end.
        pipe[0].expectEnd();
        expectAnswer(guest);
    }

    @ParameterizedTest
    @EnumSource(value = FileDescriptor.Type.class, names = {"FIFO_READ", "FIFO_WRITE"})
    void shouldCloseOnlyItsStreamWhenDescriptorsComeForAPipe(final FileDescriptor.Type pipe) {
        final RawPeer guest = HOST.guest();
        final Connection connection = HOST.connect(guest);
        guest.send(Messages.data(connection.handle(), "x", descriptor(pipe, -5)));
        final Endpoint end = HOST.closing(connection.application().receive().only());
        guest.send(Messages.data(-5, "y", descriptor(SOCKET_DGRAM, -6)));
        if (pipe == FIFO_READ) {
            expectCloses(guest, -6, -5);
            end.expectEnd();
        } else {
            // It cannot be written to, so only the descriptor is refused.
            expectCloses(guest, -6);
        }
        expectUsable(guest, connection);
    }

    @Test
    void shouldCloseOnlyItsStreamWhenATransportableDescriptorDidNotComeAlong() {
        final RawPeer guest = HOST.guest();
        final Connection other = HOST.connect(guest);
        final Connection connection = HOST.connect(guest);
        guest.send(Messages.data(connection.handle(), "x",
            descriptor(SOCKET_STREAM, -1), descriptor(TRANSPORTABLE, 0), descriptor(FIFO_READ, -2)));
        expectCloses(guest, -1, -2, connection.handle());
        connection.application().expectEnd();
        HOST.log().awaitOne("descriptor 2 of 3 (TRANSPORTABLE): was not sent along");
        expectUsable(guest, other);
    }

    @Test
    void shouldConfirmATransportableDescriptorThatHasAHandle() {
        final RawPeer guest = HOST.guest();
        final Connection connection = HOST.connect(guest);
        final Endpoint event = HOST.closing(Endpoint.eventfd(0));
        guest.send(Messages.data(connection.handle(), "x", descriptor(TRANSPORTABLE, -9)), event);
        HOST.closing(connection.application().receive().only());
        expectCloses(guest, -9);
        expectUsable(guest, connection);
    }

    @Test
    void shouldCloseOnlyItsStreamWhenARegularFileComesAndThereIsNoMount() {
        final RawPeer guest = HOST.guest();
        final Connection other = HOST.connect(guest);
        final Connection connection = HOST.connect(guest);
        guest.send(Messages.data(connection.handle(), "x",
            descriptor(FIFO_READ, -1), descriptor(REGULAR_FILE, -2), descriptor(SOCKET_STREAM, -3)));
        expectCloses(guest, -1, -2, -3, connection.handle());
        connection.application().expectEnd();
        final String line = HOST.log().awaitOne("REGULAR_FILE");
        assertTrue(line.contains("SOCKET_STREAM " + connection.handle() + " closed: descriptor 2 of 3"), line);
        expectUsable(guest, other);
    }

    @Test
    void shouldEndTheSessionWhenTooManyDescriptorsArriveThatNoFrameListed() {
        final Endpoint[] pipe = HOST.closing(Endpoint.pipe());
        final int before = Descriptors.count();
        final RawPeer guest = HOST.guest();
        final Endpoint[] each = new Endpoint[MAX_DESCRIPTORS];
        Arrays.fill(each, pipe[1]);
        int most = 0;
        boolean open = true;
        for (int i = 0; i < 40 && open; i++) {
            // Whole frames, so that nothing else can be the reason.
            final byte[] frame = RawPeer.frame(Messages.close(0));
            int sent = guest.link().trySend(frame, 0, frame.length, each);
            while (sent == -Errno.EAGAIN) {
                guest.link().await(Constants.EPOLLOUT, "room");
                sent = guest.link().trySend(frame, 0, frame.length, each);
            }
            open = sent == frame.length;
            most = Math.max(most, Descriptors.count() - before);
        }
        guest.expectEnd();
        HOST.log().awaitOne("session ended: ");
        assertTrue(most <= 6 * MAX_DESCRIPTORS, "descriptors of the host: " + most);
        pipe[1].close();
        pipe[0].expectEnd();
    }

    @Test
    void shouldCloseDescriptorsThatNoFrameAskedForWhenTheGuestGoes() {
        final RawPeer guest = HOST.guest();
        final Endpoint[] pipe = HOST.closing(Endpoint.pipe());
        guest.send(Messages.close(0), pipe[1], pipe[1], pipe[1]);
        pipe[1].close();
        expectAnswer(guest);
        guest.close();
        pipe[0].expectEnd();
    }

    @Test
    void shouldKeepWaitingDescriptorsInOrderForTheFramesThatAsk() {
        final RawPeer guest = HOST.guest();
        final Connection connection = HOST.connect(guest);
        final List<Endpoint> events = new ArrayList<>();
        for (int i = 1; i <= 3; i++) {
            events.add(HOST.closing(Endpoint.eventfd(i)));
        }
        // All three come with the first frame, which lists one.
        guest.send(Messages.data(connection.handle(), "a", descriptor(TRANSPORTABLE, 0)),
            events.toArray(new Endpoint[0]));
        guest.send(Messages.data(connection.handle(), "b",
            descriptor(TRANSPORTABLE, 0), descriptor(FIFO_READ, -1), descriptor(TRANSPORTABLE, 0)));
        assertEquals(1, value(connection.application().receive(1).only()));
        final Received second = connection.application().receive(1);
        assertEquals(3, second.descriptors().size());
        assertEquals(2, value(second.descriptors().get(0)));
        second.descriptors().get(1).close();
        assertEquals(3, value(second.descriptors().get(2)));
    }

    @Test
    void shouldDeliverDescriptorsWithoutBytesTogetherWithTheNextBytes() {
        final RawPeer guest = HOST.guest();
        final Connection connection = HOST.connect(guest);
        guest.send(Messages.data(connection.handle(), "", descriptor(FIFO_READ, -1)));
        guest.send(Messages.data(connection.handle(), "", descriptor(FIFO_READ, -2)));
        guest.send(Messages.data(connection.handle(), "now"));
        final Received received = connection.application().receive();
        received.descriptors().forEach(HOST::closing);
        assertEquals("now", received.text());
        assertEquals(2, received.descriptors().size());
        guest.send(Messages.data(-2, "second"));
        assertEquals("second", received.descriptors().get(1).readText(6));
    }

    @Test
    void shouldKeepDescriptorsThatComeWithNoBytesWhileTheReaderIsSlow() {
        final RawPeer guest = HOST.guest();
        final Connection connection = HOST.connect(guest);
        // More than the application's socket takes at once: the rest waits in the host.
        final byte[] much = new byte[1 << 20];
        guest.send(Messages.data(connection.handle(), much));
        guest.send(Messages.data(connection.handle(), "", descriptor(FIFO_READ, -1)));
        expectAnswer(guest);
        assertEquals(much.length, connection.application().readFully(much.length).length);
        guest.send(Messages.data(connection.handle(), "now"));
        final Received received = connection.application().receive();
        assertEquals("now", received.text());
        HOST.closing(received.only());
    }

    private interface Misdeed {
        void commit(RawPeer guest, Connection connection);
    }

    /** Connects first; the connection must end with the session. */
    private static String sessionEnd(final Misdeed misdeed) {
        final Connection[] connection = new Connection[1];
        final String line = HOST.sessionEnd(guest -> {
            connection[0] = HOST.connect(guest);
            misdeed.commit(guest, connection[0]);
        });
        connection[0].application().expectEnd();
        return line;
    }

    private static void expectCloses(final RawPeer guest, final long... handles) {
        final List<Long> closed = new ArrayList<>();
        for (int i = 0; i < handles.length; i++) {
            closed.add(guest.receive().getClose().getHandle());
        }
        assertEquals(LongStream.of(handles).boxed().toList(), closed);
    }

    private static void expectUsable(final RawPeer guest, final Connection connection) {
        guest.send(Messages.data(connection.handle(), "ping"));
        assertEquals("ping", connection.application().readText(4));
    }

    private static void expectAnswer(final RawPeer guest) {
        guest.send(Messages.fstatRequest(-2, 424242));
        assertEquals(Errno.EBADF, guest.receive().getFstatResponse().getErrorCode());
    }

    private static FileDescriptor descriptor(final FileDescriptor.Type type, final long handle) {
        return Messages.descriptor(type, handle);
    }

    private static FileDescriptor[] fifos(final long first, final int count) {
        return LongStream.range(0, count).mapToObj(i -> descriptor(FIFO_READ, first - i))
            .toArray(FileDescriptor[]::new);
    }

    private static long value(final Endpoint event) {
        try (event) {
            return ByteBuffer.wrap(event.readFully(Long.BYTES))
                .order(ByteOrder.nativeOrder()).getLong();
        }
    }
}
