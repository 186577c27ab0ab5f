/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.session;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.vsockproxy.posix.Constants;
import io.vsockproxy.posix.Descriptors;
import io.vsockproxy.posix.Errno;
import io.vsockproxy.posix.Memory;
import io.vsockproxy.posix.OwnedFd;
import io.vsockproxy.posix.Syscalls;
import io.vsockproxy.proto.Close;
import io.vsockproxy.proto.ConnectRequest;
import io.vsockproxy.proto.VSockMessage;
import io.vsockproxy.testing.Endpoint;
import io.vsockproxy.testing.Messages;
import io.vsockproxy.testing.NoticePeer;
import io.vsockproxy.testing.Pattern;
import io.vsockproxy.wire.ConnectRequestHeader;
import io.vsockproxy.wire.Notice;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.agrona.concurrent.UnsafeBuffer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * What an application has written before its connection is asked for goes with the request, to a peer that accepts it.
 */
@Timeout(value = 60, unit = TimeUnit.SECONDS)
class EarlyDataTest {
    private static final UnsafeBuffer PATH = new UnsafeBuffer("/remote".getBytes(StandardCharsets.US_ASCII));
    private static final int WINDOW = 64 << 10;
    private static final int MAX = ConnectRequestHeader.MAX_EARLY_LENGTH;
    private static final long HANDLE = 7;
    private static final int MSG_OOB = 1;
    private static final int LONG_PATH = 1000;
    /** Their answers take about 40 KB, and no more than 26 KB are left when no stream can be read any more. */
    private static final int PINGS = 3500;

    private FuzzedProxy proxy;
    private int descriptorsBefore;
    private Session session;
    private NoticePeer peer;

    @BeforeEach
    void open() throws IOException {
        proxy = new FuzzedProxy(false);
        // The JVM opens descriptors of its own for the first message and the first log line.
        startHost();
        peer.send(Messages.connectRequest(-1, proxy.nothingPath().toString()));
        proxy.turnUntilIdle();
        assertEquals(Errno.ENOENT, peer.receive().getConnectResponse().getErrorCode());
        disconnect();
        proxy.turnUntilIdle();
        descriptorsBefore = Descriptors.count();
    }

    @AfterEach
    void close() {
        disconnect();
        proxy.turnUntil(() -> Descriptors.count() <= descriptorsBefore, Descriptors::describe);
        assertTrue(proxy.faults.isEmpty(), proxy.faults::toString);
        proxy.close();
    }

    // ---- Sent by a guest

    @Test
    void shouldGoWithTheRequestAndNotBeSentAgain() {
        startGuest(WINDOW, Notice.EARLY_DATA);
        try (Endpoint application = application("to ")) {
            final ConnectRequest request = request();
            assertEquals("/remote", request.getPath());
            assertEquals("to ", request.getEarlyData().toStringUtf8());
            application.send("be ");
            proxy.turnUntilIdle();
            peer.send(Messages.connectResponse(request.getCookie(), 0, HANDLE), Messages.data(HANDLE, "answered"));
            proxy.turnUntilIdle();
            application.send("sent");
            proxy.turnUntilIdle();
            assertEquals("be sent", new String(data(7), StandardCharsets.UTF_8));
            assertEquals("answered", application.readText(8));
            assertEquals(10, session.counters().bytesOut);
        }
    }

    @Test
    void shouldBeNoMoreThanTheLimitWithTheRestBehindIt() {
        startGuest(WINDOW, Notice.EARLY_DATA);
        final byte[] bytes = Pattern.bytes(1, 3 * MAX);
        try (Endpoint application = application(bytes)) {
            final ConnectRequest request = request();
            assertArrayEquals(Arrays.copyOf(bytes, MAX), request.getEarlyData().toByteArray());
            peer.send(Messages.connectResponse(request.getCookie(), 0, HANDLE));
            proxy.turnUntilIdle();
            assertArrayEquals(Arrays.copyOfRange(bytes, MAX, 3 * MAX), data(2 * MAX));
            assertFalse(application.isReadable());
        }
    }

    @Test
    void shouldUseUpTheWindow() {
        startGuest(5, Notice.EARLY_DATA);
        try (Endpoint application = application("123456789")) {
            final ConnectRequest request = request();
            assertEquals("12345", request.getEarlyData().toStringUtf8());
            peer.send(Messages.connectResponse(request.getCookie(), 0, HANDLE));
            proxy.turnUntilIdle();
            assertEquals(5, session.counters().bytesOut);
            peer.send(NoticePeer.notice(Close.Notice.CREDIT, HANDLE, 3));
            proxy.turnUntilIdle();
            assertEquals("678", new String(data(3), StandardCharsets.UTF_8));
            assertFalse(application.isReadable());
        }
    }

    @Test
    void shouldBeFollowedByTheEnd() {
        startGuest(WINDOW, Notice.EARLY_DATA);
        application("all").close();
        final ConnectRequest request = request();
        assertEquals("all", request.getEarlyData().toStringUtf8());
        peer.send(Messages.connectResponse(request.getCookie(), 0, HANDLE));
        proxy.turnUntilIdle();
        final VSockMessage end = peer.next();
        assertEquals(HANDLE, end.getClose().getHandle(), end::toString);
        assertEquals(0, session.handleCount());
    }

    /** Nor does anything in front of them. */
    @ParameterizedTest
    @ValueSource(ints = {0, 1, MAX})
    void shouldNotBeSentWhenDescriptorsWait(final int lengthBefore) {
        startGuest(WINDOW, Notice.EARLY_DATA);
        final Endpoint[] pair = Endpoint.socketPair(Constants.SOCK_STREAM);
        try (Endpoint passed = Endpoint.eventfd(42)) {
            if (lengthBefore > 0) {
                pair[0].send(new byte[lengthBefore]);
            }
            pair[0].send("with", passed);
        }
        forward(pair[1]);
        final ConnectRequest request = request();
        assertTrue(request.getEarlyData().isEmpty());
        peer.send(Messages.connectResponse(request.getCookie(), 0, HANDLE));
        proxy.turnUntilIdle();
        final VSockMessage data = peer.next(VSockMessage::hasData, "the bytes");
        assertEquals(lengthBefore + 4, data.getData().getBlob().size());
        assertEquals(1, data.getData().getTransferredFdCount());
        peer.takeDescriptor().close();
        pair[0].close();
    }

    /** An out-of-band byte comes in its place, even if another one follows before the connection is made. */
    @Test
    void shouldKeepOutOfBandBytesInTheirPlace() {
        startGuest(WINDOW, Notice.EARLY_DATA);
        final Endpoint[] pair = Endpoint.socketPair(Constants.SOCK_STREAM);
        assumeTrue(sendOutOfBand(pair[0], 'x'), "needs MSG_OOB for unix sockets");
        pair[0].send("abc");
        forward(pair[1]);
        final ConnectRequest request = request();
        assertTrue(sendOutOfBand(pair[0], 'y'));
        pair[0].send("d");
        peer.send(Messages.connectResponse(request.getCookie(), 0, HANDLE));
        proxy.turnUntilIdle();
        final String early = request.getEarlyData().toStringUtf8();
        assertEquals("xabcyd", early + new String(data(6 - early.length()), StandardCharsets.UTF_8));
        pair[0].close();
    }

    /** As from a local socket whose peer has closed it without reading. */
    @Test
    void shouldBeKnownNotToHaveBeenReadWhenTheConnectionIsRefused() {
        startGuest(WINDOW, Notice.EARLY_DATA);
        try (Endpoint application = application("in vain")) {
            final ConnectRequest request = request();
            assertEquals("in vain", request.getEarlyData().toStringUtf8());
            peer.send(Messages.connectResponse(request.getCookie(), Errno.ECONNREFUSED, 0));
            proxy.turnUntilIdle();
            assertEquals(-Errno.ECONNRESET, application.tryReceive(1));
            assertEquals(0, session.handleCount());
        }
    }

    @Test
    void shouldBeLeftOutWhenThereIsNothing() {
        startGuest(WINDOW, Notice.EARLY_DATA);
        try (Endpoint application = application("")) {
            assertTrue(request().getEarlyData().isEmpty());
            assertFalse(application.isReadable());
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {0, Notice.FIFOS})
    void shouldNotBeSentToAPeerThatHasNotAskedForIt(final int bits) {
        startGuest(WINDOW, bits);
        try (Endpoint application = application("later")) {
            final ConnectRequest request = request();
            assertTrue(request.getEarlyData().isEmpty());
            peer.send(Messages.connectResponse(request.getCookie(), 0, HANDLE));
            proxy.turnUntilIdle();
            assertEquals("later", new String(data(5), StandardCharsets.UTF_8));
            assertFalse(application.isReadable());
        }
    }

    /** A request must be sent in any case, and room is reserved for it; for the bytes there may be none. */
    @Test
    void shouldNotBeSentWithoutRoom() throws Exception {
        // Over a link that does not carry descriptors, everything goes through the ring.
        start(false, false);
        peer.send(NoticePeer.greeting(1 << 24, Notice.EARLY_DATA));
        final List<Endpoint> applications = new ArrayList<>();
        applications.add(application(""));
        peer.send(Messages.connectResponse(request().getCookie(), 0, HANDLE));
        proxy.turnUntilIdle();
        long sent = 0;
        long more = 1;
        while (more > 0) {
            more = applications.get(0).sendUntilStalled(new byte[1 << 16], 1 << 20);
            sent += more;
            proxy.turnUntilIdle();
        }
        // What is left of it is too little for a stream, and goes to what must be sent.
        for (int i = 0; i < PINGS; i++) {
            peer.send(NoticePeer.notice(Close.Notice.PING, 0, i));
            proxy.loop.turn(0);
        }
        proxy.turnUntilIdle();
        applications.add(application("later"));
        final long total = sent + 5;
        final Future<ConnectRequest> asked = proxy.begin(() -> requestAmong(total));
        proxy.await(asked, "the request and all bytes");
        assertTrue(asked.get().getEarlyData().isEmpty());
        assertEquals(total, session.counters().bytesOut);
        applications.forEach(Endpoint::close);
    }

    // ---- Received by a host

    @Test
    void shouldBeDeliveredAheadOfWhatFollows() {
        startHost();
        try (Endpoint application = requested("early ")) {
            final long handle = peer.receive().getConnectResponse().getHandle();
            peer.send(Messages.data(handle, "late"));
            proxy.turnUntilIdle();
            assertEquals("early late", application.readText(10));
            assertEquals(10, session.counters().bytesIn);
        }
    }

    /** It counts towards the window like any other bytes. */
    @Test
    void shouldBeGivenCreditFor() {
        startHost();
        final byte[] early = Pattern.bytes(2, MAX);
        try (Endpoint application = requested(new String(early, StandardCharsets.ISO_8859_1))) {
            final long handle = peer.receive().getConnectResponse().getHandle();
            // Just enough for half of the window, with what came early.
            peer.send(Messages.data(handle, new byte[FuzzedProxy.WINDOW / 2 - MAX]));
            proxy.turnUntilIdle();
            final VSockMessage credit =
                peer.next(message -> NoticePeer.isNotice(message, Close.Notice.CREDIT), "credit");
            assertEquals(handle, credit.getClose().getSubject());
            assertTrue(credit.getClose().getAmount() >= FuzzedProxy.WINDOW / 2, credit::toString);
            assertArrayEquals(early, application.readFully(MAX));
        }
    }

    @Test
    void shouldBeKeptUntilThereIsRoomForTheConnection() {
        requestTwoWithRoomForOne();
        assertEquals(-1, peer.receive().getConnectResponse().getCookie());
        // Longer than both, so that nothing is left of them where they were received.
        peer.send(Messages.connectRequest(-3, "x".repeat(LONG_PATH)));
        proxy.turnUntilIdle();
        assertEquals(-3, peer.receive().getConnectResponse().getCookie());
        try (Endpoint first = proxy.target.accept()) {
            proxy.turnUntil(proxy.target::isReadable, () -> "the second connection");
            try (Endpoint second = proxy.target.accept()) {
                proxy.turnUntilIdle();
                assertEquals(-2, peer.receive().getConnectResponse().getCookie());
                assertEquals("second", second.readText(6));
            }
            assertEquals("first", first.readText(5));
        }
    }

    @Test
    void shouldBeDroppedWhenTheSessionEndsMeanwhile() {
        requestTwoWithRoomForOne();
        session.end("by the test");
        proxy.turnUntilIdle();
        assertTrue(session.isSettled());
        try (Endpoint first = proxy.target.accept()) {
            assertEquals("first", first.readText(5));
            assertFalse(proxy.target.isReadable());
        }
    }

    @Test
    void shouldEndNothingButItsConnectionWhenNobodyTakesIt() {
        startHost();
        request(-1, "never read");
        proxy.turnUntil(proxy.target::isReadable, () -> "the connection");
        proxy.target.accept().close();
        proxy.turnUntilIdle();
        final long handle = peer.receive().getConnectResponse().getHandle();
        assertEquals(handle, peer.receive().getClose().getHandle());
        peer.send(Messages.connectRequest(-2, proxy.nothingPath().toString(), new byte[] {1}));
        proxy.turnUntilIdle();
        assertTrue(peer.receive().getConnectResponse().getErrorCode() != 0);
        assertFalse(session.hasEnded());
    }

    @Test
    void shouldBeDeliveredToAComponentOnceItIsConnected() throws IOException {
        final OrderlyComponent component = new OrderlyComponent();
        proxy.close();
        proxy = new FuzzedProxy(false, Map.of("component", (from, name) -> component));
        descriptorsBefore = Descriptors.count();
        startHost();
        peer.send(Messages.connectRequest(-1, "component", new byte[MAX]));
        proxy.turnUntilIdle();
        assertEquals(0, peer.receive().getConnectResponse().getErrorCode());
        // It checks that nothing comes before it is connected.
        assertEquals(MAX, component.takenLength);
    }

    @Test
    void shouldEndTheSessionWhenItIsTooLong() {
        startHost();
        try (Endpoint application = requested("x".repeat(MAX))) {
            assertEquals(MAX, application.readFully(MAX).length);
            assertFalse(session.hasEnded());
            request(-2, "x".repeat(MAX + 1));
            proxy.turnUntilIdle();
            assertTrue(session.hasEnded());
        }
    }

    @Test
    void shouldBeIgnoredFromAPeerThatHasNotGreeted() {
        start(true);
        try (Endpoint application = requested("x".repeat(MAX + 1))) {
            assertFalse(application.isReadable());
            assertEquals(0, peer.receive().getConnectResponse().getErrorCode());
        }
    }

    private void startGuest(final int window, final int bits) {
        start(false);
        peer.send(NoticePeer.greeting(window, bits));
        proxy.turnUntilIdle();
    }

    private void startHost() {
        start(true);
        peer.send(NoticePeer.greeting(WINDOW));
    }

    private void start(final boolean isHost) {
        start(isHost, true);
    }

    private void start(final boolean isHost, final boolean carriesDescriptors) {
        final Endpoint[] pair = Endpoint.socketPair(Constants.SOCK_STREAM);
        session = proxy.session(pair[0], isHost, true, carriesDescriptors);
        peer = new NoticePeer(pair[1]);
        session.start();
    }

    private void disconnect() {
        session.close();
        peer.close();
    }

    /** An application that has connected and written. */
    private Endpoint application(final String text) {
        return application(text.getBytes(StandardCharsets.UTF_8));
    }

    private Endpoint application(final byte[] bytes) {
        final Endpoint[] pair = Endpoint.socketPair(Constants.SOCK_STREAM);
        if (bytes.length > 0) {
            pair[0].send(bytes);
        }
        forward(pair[1]);
        return pair[0];
    }

    /** Hands over a socket as a listener would that has accepted it. */
    private void forward(final Endpoint accepted) {
        accepted.setNonBlocking();
        session.forward(OwnedFd.of(Syscalls.fcntl(accepted.fd(), Constants.F_DUPFD_CLOEXEC, 0)), PATH);
        accepted.close();
        proxy.turnUntilIdle();
    }

    private ConnectRequest request() {
        return peer.next(VSockMessage::hasConnectRequest, "the request").getConnectRequest();
    }

    private static boolean sendOutOfBand(final Endpoint from, final char character) {
        try (Memory memory = Memory.allocate(1)) {
            memory.buffer().putByte(0, (byte) character);
            return Syscalls.send(from.fd(), memory.address(), 1, MSG_OOB) == 1;
        }
    }

    /** Asks for a connection to the target, and accepts it there. */
    private Endpoint requested(final String early) {
        request(-1, early);
        proxy.turnUntil(proxy.target::isReadable, () -> "the connection");
        final Endpoint application = proxy.target.accept();
        proxy.turnUntilIdle();
        return application;
    }

    /** Asks for two connections to the target, of which the second has to wait. */
    private void requestTwoWithRoomForOne() {
        startHost();
        // One more connection may wait than the backlog's number says (unix_recvq_full).
        assertEquals(0, Syscalls.listen(proxy.target.fd(), 0));
        request(-1, "first");
        request(-2, "second");
        proxy.turnUntilIdle();
    }

    private void request(final long cookie, final String early) {
        peer.send(Messages.connectRequest(
            cookie, proxy.targetPath().toString(), early.getBytes(StandardCharsets.ISO_8859_1)));
    }

    /** Answers the one request that comes among {@code length} bytes, and returns it when all have come. */
    private ConnectRequest requestAmong(final long length) {
        ConnectRequest request = null;
        long left = length;
        while (left > 0) {
            final VSockMessage message = peer.next(any -> any.hasData() || any.hasConnectRequest(), "more");
            left -= message.getData().getBlob().size() + message.getConnectRequest().getEarlyData().size();
            if (message.hasConnectRequest()) {
                request = message.getConnectRequest();
                peer.send(Messages.connectResponse(request.getCookie(), 0, HANDLE + 1));
            }
        }
        return request;
    }

    /** The next {@code length} bytes of all streams together. */
    private byte[] data(final int length) {
        final ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        while (bytes.size() < length) {
            bytes.writeBytes(peer.next(VSockMessage::hasData, "data").getData().getBlob().toByteArray());
        }
        return bytes.toByteArray();
    }
}
