/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.extension;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.vsockproxy.posix.Constants;
import io.vsockproxy.posix.Errno;
import io.vsockproxy.proto.Close.Notice;
import io.vsockproxy.proto.FileDescriptor;
import io.vsockproxy.proto.VSockMessage;
import io.vsockproxy.testing.Endpoint;
import io.vsockproxy.testing.Messages;
import io.vsockproxy.testing.NoticePeer;
import io.vsockproxy.testing.RawPeer;
import io.vsockproxy.testing.RunningHost;
import io.vsockproxy.testing.RunningHost.Connection;
import io.vsockproxy.testing.SessionProbe;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Notices that no correct peer sends, and correct ones at the wrong time. After each test the host must still serve,
 * hold nothing, and have logged no internal error.
 */
@Timeout(value = 60, unit = TimeUnit.SECONDS)
class HostileNoticesTest {
    private static final long WINDOW = 64 << 10;
    private static final int NOTICE_TAG = 0x58;

    @RegisterExtension
    static final RunningHost HOST = new RunningHost();

    // ---- The greeting

    /** What comes before the greeting, so that it is not the first. */
    enum Before {
        CONNECT_REQUEST(Messages.connectRequest(-5, "/nobody/allowed/this")),
        RESPONSE(Messages.connectResponse(-5, 0, -6)),
        FILE_REQUEST(Messages.fstatRequest(-5, 12345)),
        CLOSE(Messages.close(12345)),
        DATA(Messages.data(12345, "nobody reads this")),
        LONG_DATA(Messages.data(12345, new byte[200_000])),
        OTHER_NOTICE(NoticePeer.notice(Notice.PING, 0, 1)),
        PLAIN_NOTICE(Messages.close(0));

        private final VSockMessage message;

        Before(final VSockMessage message) {
            this.message = message;
        }
    }

    @ParameterizedTest
    @EnumSource
    void shouldNotHeedAGreetingThatIsNotTheFirst(final Before before) {
        final NoticePeer guest = guest();
        guest.send(before.message, NoticePeer.greeting(WINDOW), NoticePeer.notice(Notice.PING, 0, 42));
        final Connection connection = connect(guest);
        assertEquals(0, new SessionProbe(HOST.proxy()).onlyStream().window(), "window");
        // A peer without the extension has no half-close: both directions end.
        connection.application().shutdownWrite();
        guest.next(HostileNoticesTest::isClose, "the Close");
        connection.application().expectEnd();
    }

    @Test
    void shouldNotHeedASecondGreeting() {
        final NoticePeer guest = greetedGuest();
        guest.send(NoticePeer.greeting(1 << 30));
        final Connection connection = connect(guest);
        guest.send(NoticePeer.greeting(1 << 30));
        expectAnswer(guest);
        assertEquals(WINDOW, new SessionProbe(HOST.proxy()).onlyStream().allowance());
        assertEquals("x", echo(guest, connection, "x"));
    }

    @Test
    void shouldNotHeedAGreetingWithoutAWindow() {
        final NoticePeer guest = guest();
        guest.send(NoticePeer.greeting(0));
        connect(guest);
        assertEquals(0, new SessionProbe(HOST.proxy()).onlyStream().window());
    }

    @ParameterizedTest
    @ValueSource(longs = {Long.MAX_VALUE, -1, Long.MIN_VALUE, 1L << 32})
    void shouldBearGreetingsWithAnyWindow(final long window) {
        final NoticePeer guest = guest();
        guest.send(NoticePeer.greeting(window));
        final Connection connection = connect(guest);
        for (int i = 0; i < 5; i++) {
            guest.send(NoticePeer.notice(Notice.CREDIT, connection.handle(), Integer.MAX_VALUE));
        }
        assertEquals("still here", echo(guest, connection, "still here"));
    }

    // ---- Credit

    @ParameterizedTest
    @ValueSource(longs = {1L << 31, 1L << 62, Long.MAX_VALUE, -1, Long.MIN_VALUE})
    void shouldEndTheSessionWhenACreditIsBeyondAllBounds(final long amount) {
        final NoticePeer guest = greetedGuest();
        final Connection connection = connect(guest);
        guest.send(NoticePeer.notice(Notice.CREDIT, connection.handle(), amount));
        guest.expectEnd();
        final String line = HOST.log().awaitOne("session ended: ");
        assertTrue(line.contains("credit of " + Long.toUnsignedString(amount) + " bytes at once"), line);
        connection.application().expectEnd();
    }

    @Test
    void shouldIgnoreCreditForHandlesThatAreNotThere() {
        final NoticePeer guest = greetedGuest();
        final Connection connection = connect(guest);
        for (final long handle : new long[] {0, -1, 5_000_000, Long.MAX_VALUE, Long.MIN_VALUE}) {
            guest.send(NoticePeer.notice(Notice.CREDIT, handle, 1000));
        }
        assertEquals("y", echo(guest, connection, "y"));
    }

    @Test
    void shouldBearAFloodOfCredit() {
        final NoticePeer guest = greetedGuest();
        final Connection connection = connect(guest);
        final byte[] credit = RawPeer.frame(
            NoticePeer.notice(Notice.CREDIT, connection.handle(), Integer.MAX_VALUE));
        final byte[] flood = new byte[credit.length * 10_000];
        for (int i = 0; i < flood.length; i++) {
            flood[i] = credit[i % credit.length];
        }
        for (int i = 0; i < 20; i++) {
            guest.link().send(flood);
        }
        assertEquals("and on", echo(guest, connection, "and on"));
    }

    @Test
    void shouldSendNoMoreThanItIsLet() {
        final NoticePeer guest = greetedGuest();
        final Connection connection = connect(guest);
        final byte[] much = new byte[50_000];
        connection.application().sendUntilStalled(much, 100 << 20);
        expectAnswer(guest);
        // Neither credit for an unknown stream nor credit of 0 lets more through.
        guest.send(
            NoticePeer.notice(Notice.CREDIT, connection.handle(), 0), NoticePeer.notice(Notice.CREDIT, 99, 1000));
        expectAnswer(guest);
        assertEquals(WINDOW, dataLength);
        guest.send(NoticePeer.notice(Notice.CREDIT, connection.handle(), 1));
        final VSockMessage oneByte = guest.receive();
        assertEquals(1, oneByte.getData().getBlob().size());
    }

    @Test
    void shouldBoundWhatAPeerSendsBeyondItsCredit() {
        final NoticePeer guest = greetedGuest();
        final Connection connection = connect(guest);
        final long total = guest.link().sendUntilStalled(
            RawPeer.frame(Messages.data(connection.handle(), new byte[100_000])), 100 << 20);
        assertTrue(total < 16 << 20, "sent before it stalled: " + total);
    }

    // ---- Half-close

    @Test
    void shouldIgnoreHalfCloseForHandlesThatAreNotThere() {
        final NoticePeer guest = greetedGuest();
        final Connection connection = connect(guest);
        for (final long handle : new long[] {0, -1, 5_000_000, Long.MAX_VALUE, Long.MIN_VALUE}) {
            guest.send(NoticePeer.notice(Notice.HALF_CLOSE, handle, 0));
        }
        assertEquals("z", echo(guest, connection, "z"));
    }

    @Test
    void shouldBearHalfClosesOneAfterTheOther() {
        final NoticePeer guest = greetedGuest();
        final Connection connection = connect(guest);
        for (int i = 0; i < 3; i++) {
            guest.send(NoticePeer.notice(Notice.HALF_CLOSE, connection.handle(), 0));
        }
        connection.application().expectEnd();
        connection.application().send("goes on");
        assertEquals("goes on", guest.receive().getData().getBlob().toStringUtf8());
        connection.application().shutdownWrite();
        final VSockMessage close = guest.receive();
        assertEquals(connection.handle(), close.getClose().getHandle());
        assertEquals(0, close.getClose().getReason());
        guest.send(NoticePeer.notice(Notice.HALF_CLOSE, connection.handle(), 0));
        expectAnswer(guest);
    }

    @Test
    void shouldDropDataThatComesAfterAHalfClose() {
        final NoticePeer guest = greetedGuest();
        final Connection connection = connect(guest);
        guest.send(
            Messages.data(connection.handle(), "before"),
            NoticePeer.notice(Notice.HALF_CLOSE, connection.handle(), 0),
            Messages.data(connection.handle(), "after"));
        assertEquals("before", new String(connection.application().readToEnd(),
            StandardCharsets.UTF_8));
        expectAnswer(guest);
    }

    @ParameterizedTest
    @EnumSource(value = FileDescriptor.Type.class, names = {"FIFO_READ", "FIFO_WRITE", "SOCKET_DGRAM"})
    void shouldEndWhatHasNoHalvesWhenItIsHalfClosed(final FileDescriptor.Type type) {
        final NoticePeer guest = greetedGuest();
        final Connection connection = connect(guest);
        guest.send(Messages.data(connection.handle(), "p", descriptor(type)));
        final Endpoint passed = HOST.closing(connection.application().receive().only());
        guest.send(NoticePeer.notice(Notice.HALF_CLOSE, -1, 0));
        final VSockMessage close = guest.receive();
        assertEquals(-1, close.getClose().getHandle());
        if (type == FileDescriptor.Type.FIFO_READ) {
            passed.expectEnd();
        } else if (type == FileDescriptor.Type.FIFO_WRITE) {
            passed.awaitHangUp();
        }
        assertEquals("on", echo(guest, connection, "on"));
    }

    // ---- Signs of life, and unknown notices

    @ParameterizedTest
    @ValueSource(longs = {0, 1, Long.MAX_VALUE, -1, Long.MIN_VALUE})
    void shouldAnswerAPingWithWhatItBrought(final long token) {
        final NoticePeer guest = greetedGuest();
        guest.send(NoticePeer.notice(Notice.PING, 0, token));
        final VSockMessage pong = guest.next(
            message -> NoticePeer.isNotice(message, Notice.PONG), "a PONG");
        assertEquals(token, pong.getClose().getAmount());
    }

    @Test
    void shouldEndTheSessionOfAPeerThatPingsAndDoesNotRead() {
        final NoticePeer guest = greetedGuest();
        final byte[] pings = RawPeer.frames(
            NoticePeer.notice(Notice.PING, 0, -1), NoticePeer.notice(Notice.PING, 0, -2));
        int result = 0;
        long sent = 0;
        while (result != -Errno.EPIPE && result != -Errno.ECONNRESET) {
            assertTrue(sent < 200L << 20, "it goes on answering");
            final int offset = (int) (sent % pings.length);
            result = guest.link().trySend(pings, offset, pings.length - offset);
            if (result == -Errno.EAGAIN) {
                guest.link().await(Constants.EPOLLOUT, "the host to read on, or to end the session");
            }
            sent += Math.max(0, result);
        }
        final String line = HOST.log().awaitOne("session ended: ");
        assertTrue(line.contains("does not read while it asks"), line);
    }

    @Test
    void shouldIgnorePongsAndNoticesOfLaterVersions() {
        final NoticePeer guest = greetedGuest();
        final Connection connection = connect(guest);
        guest.send(NoticePeer.notice(Notice.PONG, 0, 77));
        // Close { notice: 6 } and { notice: 300 }, which this version's enum does not have.
        guest.link().send(RawPeer.frame(0x0a, 0x02, NOTICE_TAG, 0x06));
        guest.link().send(RawPeer.frame(0x0a, 0x03, NOTICE_TAG, 0xac, 0x02));
        assertEquals("w", echo(guest, connection, "w"));
    }

    /** Bytes of Data that {@link #expectAnswer} has skipped. */
    private long dataLength;

    private static NoticePeer guest() {
        return HOST.closing(new NoticePeer(Endpoint.connect(HOST.link())));
    }

    private static NoticePeer greetedGuest() {
        final NoticePeer guest = guest();
        guest.send(NoticePeer.greeting(WINDOW));
        return guest;
    }

    private static Connection connect(final NoticePeer guest) {
        guest.send(Messages.connectRequest(-1, HOST.targetPath().toString()));
        final Endpoint application = HOST.closing(HOST.target().accept());
        final VSockMessage response =
            guest.next(message -> message.hasConnectResponse() && message.getConnectResponse().getCookie() == -1,
                "the ConnectResponse");
        return new Connection(response.getConnectResponse().getHandle(), application);
    }

    private static String echo(final NoticePeer guest, final Connection connection, final String text) {
        guest.send(Messages.data(connection.handle(), text));
        assertEquals(text, connection.application().readText(text.length()));
        connection.application().send(text);
        return guest.next(VSockMessage::hasData, "the echo").getData().getBlob().toStringUtf8();
    }

    /** The session is alive: a request is answered. Counts the Data in front of the answer. */
    private void expectAnswer(final NoticePeer guest) {
        guest.send(Messages.fstatRequest(-2, 424242));
        guest.next(
            message -> {
                dataLength += message.getData().getBlob().size();
                return message.hasFstatResponse() && message.getFstatResponse().getCookie() == -2;
            },
            "the answer");
    }

    private static boolean isClose(final VSockMessage message) {
        return message.hasClose() && message.getClose().getHandle() != 0;
    }

    private static FileDescriptor descriptor(final FileDescriptor.Type type) {
        return Messages.descriptor(type, -1);
    }
}
