/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.session;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.TextFormat;
import io.vsockproxy.posix.Constants;
import io.vsockproxy.posix.Descriptors;
import io.vsockproxy.posix.Errno;
import io.vsockproxy.posix.PosixException;
import io.vsockproxy.posix.Syscalls;
import io.vsockproxy.proto.Close;
import io.vsockproxy.proto.FileDescriptor;
import io.vsockproxy.proto.FstatResponse;
import io.vsockproxy.proto.VSockMessage;
import io.vsockproxy.testing.Endpoint;
import io.vsockproxy.testing.FileCalls;
import io.vsockproxy.testing.Messages;
import io.vsockproxy.testing.Mounts;
import io.vsockproxy.testing.RawPeer;
import io.vsockproxy.testing.Received;
import io.vsockproxy.testing.Seeds;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.agrona.concurrent.UnsafeBuffer;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Every message, with values at its bounds, about every kind of handle in every state: afterwards the session goes on,
 * with an answer to each request and a round trip of another stream, or it has ended where the protocol says so; and in
 * the end nothing is left open.
 */
@Timeout(value = 600, unit = TimeUnit.SECONDS)
class EveryMessageTest {
    private static final int WINDOW = 16 << 10;
    private static final int FIFOS = 1;
    private static final int NO_FILE = 424_242;
    private static final String COMPONENT = "component";
    private static final int CHECK_COOKIE = 7777;
    /** With and without the extension, on links that carry descriptors or not. */
    private static final int SETTINGS = 4;
    /** Messages for each state of each kind; each takes about a millisecond. */
    private static final int SAMPLES = 12;
    /** The index of the message that is a Data with one byte. */
    private static final int ONE_BYTE = 1;

    /** What a handle names. The first are the proxy's own, the others the peer's. */
    enum Kind {
        CONNECTION, OWN_STREAM, OWN_DATAGRAM, OWN_SEQPACKET, OWN_READ_END, OWN_WRITE_END, OWN_FILE, OWN_FIFO,
        STREAM(FileDescriptor.Type.SOCKET_STREAM),
        DATAGRAM(FileDescriptor.Type.SOCKET_DGRAM),
        SEQPACKET(FileDescriptor.Type.SOCKET_SEQPACKET),
        READ_END(FileDescriptor.Type.FIFO_READ),
        WRITE_END(FileDescriptor.Type.FIFO_WRITE),
        FILE(FileDescriptor.Type.REGULAR_FILE),
        FIFO(FileDescriptor.Type.FIFO),
        CHANNEL,
        CHANNEL_OF_A_SOCKET(FileDescriptor.Type.SOCKET_STREAM),
        UNTAKEN_CHANNEL(FileDescriptor.Type.SOCKET_STREAM),
        FILE_OF_A_CHANNEL(FileDescriptor.Type.REGULAR_FILE);

        private final FileDescriptor.Type type;

        Kind() {
            this(null);
        }

        Kind(final FileDescriptor.Type type) {
            this.type = type;
        }

        boolean isFile() {
            return this == FILE || this == FIFO;
        }

        boolean isFifo() {
            return this == OWN_FIFO || this == FIFO;
        }

        boolean isComponents() {
            return compareTo(CHANNEL) >= 0;
        }
    }

    /** What has happened to it before. */
    enum State {
        OPEN, PASSED_BACK, APPLICATION_SHUT_WRITE, APPLICATION_SHUT_READ, APPLICATION_SHUT_BOTH, APPLICATION_CLOSED,
        APPLICATION_CLOSED_UNREAD, HALF_CLOSED, STOPPED, HALF_CLOSED_AND_STOPPED, QUEUED, QUEUED_AND_HALF_CLOSED,
        QUEUED_AND_CLOSED, WITHOUT_CREDIT, CLOSED, ASKED
    }

    private static FuzzedProxy proxy;
    /** What the next connection to {@link #COMPONENT} is for. */
    private static OrderlyComponent accepted;

    private final List<OrderlyComponent> components = new ArrayList<>();
    private final List<Endpoint> opened = new ArrayList<>();
    private final List<Future<?>> calls = new ArrayList<>();
    private final List<VSockMessage> received = new ArrayList<>();
    private OrderlyComponent component;
    private byte[] unread = {};
    private boolean ended;
    private Session session;
    private Endpoint link;
    private long carrier;
    private Endpoint carrierEnd;
    private long other;
    private Endpoint otherEnd;
    private long lastHandle;

    @BeforeAll
    static void open() throws IOException {
        Mounts.assumeMountable();
        FileCalls.load();
        proxy = new FuzzedProxy(true, Map.of(COMPONENT, (peer, name) -> accepted));
    }

    @AfterAll
    static void close() {
        if (proxy != null) {
            proxy.close();
        }
    }

    @AfterEach
    void clear() {
        // Nothing is left but of a test that failed.
        if (session != null) {
            session.close();
            link.close();
            opened.forEach(this::close);
            opened.clear();
            proxy.faults.clear();
        }
    }

    /** Some of the messages in each state; with {@code -Dvsockproxy.test.minutes=1}, all of them. */
    @ParameterizedTest
    @EnumSource
    void shouldBearEveryMessageInEveryState(final Kind kind) {
        final Random random = Seeds.random("EveryMessageTest");
        final boolean all = Seeds.durationMs(0) > 0;
        for (int setting = 0; setting < SETTINGS; setting++) {
            final boolean isExtended = (setting & 1) == 0;
            final boolean isUnix = (setting & 2) != 0;
            if (!kind.isFifo() || (isExtended && !isUnix)) {
                final int count = EveryMessage.about(1, isExtended).size();
                for (final State state : State.values()) {
                    for (int i = 0; i < (all ? count : SAMPLES); i++) {
                        bear(kind, state, all ? i : random.nextInt(count), isExtended, isUnix);
                    }
                }
            }
        }
    }

    @ParameterizedTest
    @EnumSource(names = {"CHANNEL", "CHANNEL_OF_A_SOCKET"})
    void shouldTellAComponentOfNoBytesAfterTheEndOfItsInput(final Kind kind) {
        bear(kind, State.HALF_CLOSED, ONE_BYTE, true, false);
        bear(kind, State.HALF_CLOSED_AND_STOPPED, ONE_BYTE, true, false);
    }

    private void bear(
        final Kind kind, final State state, final int index, final boolean isExtended, final boolean isUnix) {
        final int descriptors = Descriptors.count();
        begin(isExtended, isUnix);
        final long handle = open(kind);
        final EveryMessage.Case message = EveryMessage.about(handle, isExtended).get(index);
        final String what = kind + ", " + state + ", extended=" + isExtended + ", unix=" + isUnix + ", handle=" + handle
            + ", message " + index + ": "
            + TextFormat.printer().emittingSingleLine(true).printToString(message.message());
        try {
            reach(kind, state, handle, opened.get(opened.size() - 1), isExtended);
            settle();
            assertFalse(session.hasEnded(), "ended before the message");
            say(message.message());
            settle();
            if (message.ends() != EveryMessage.Ends.MAYBE) {
                assertEquals(
                    message.ends() == EveryMessage.Ends.ALWAYS, session.hasEnded(), "whether the session has ended");
            }
            if (!session.hasEnded()) {
                check(message);
            }
            finish(descriptors);
        } catch (final AssertionError | RuntimeException e) {
            throw new AssertionError(what, e);
        }
    }

    // ---- Getting there

    private void begin(final boolean isExtended, final boolean isUnix) {
        final Endpoint[] pair = Endpoint.socketPair(Constants.SOCK_STREAM);
        session = proxy.session(pair[0], true, isExtended, isUnix);
        link = pair[1];
        unread = new byte[0];
        ended = false;
        received.clear();
        lastHandle = -10;
        session.start();
        if (isExtended) {
            say(notice(Close.Notice.GREETING, 0, WINDOW, FIFOS));
        }
        other = connect();
        otherEnd = opened.get(opened.size() - 1);
        carrier = connect();
        carrierEnd = opened.get(opened.size() - 1);
    }

    private long connect() {
        say(Messages.connectRequest(-1, proxy.targetPath().toString()));
        proxy.turnUntil(proxy.target::isReadable, () -> "the connection");
        opened.add(proxy.target.accept());
        proxy.turnUntilIdle();
        receive();
        return received.remove(received.size() - 1).getConnectResponse().getHandle();
    }

    private long open(final Kind kind) {
        if (kind == Kind.CONNECTION) {
            return connect();
        }
        if (kind.isComponents()) {
            return openComponents(kind);
        }
        if (kind.type != null) {
            final long handle = --lastHandle;
            say(Messages.data(carrier, "d", FileDescriptor.newBuilder().setType(kind.type).setHandle(handle)
                .setFlags(Constants.O_RDWR).build()));
            proxy.turnUntil(() -> {
                settle();
                return carrierEnd.isReadable();
            }, () -> "the stand-in");
            opened.add(carrierEnd.receive().only());
            return handle;
        }
        final Endpoint[] pair = switch (kind) {
            case OWN_STREAM -> Endpoint.socketPair(Constants.SOCK_STREAM);
            case OWN_DATAGRAM -> Endpoint.socketPair(Constants.SOCK_DGRAM);
            case OWN_SEQPACKET -> Endpoint.socketPair(Constants.SOCK_SEQPACKET);
            case OWN_READ_END -> Endpoint.pipe();
            case OWN_WRITE_END -> swapped(Endpoint.pipe());
            case OWN_FIFO -> fifo();
            default -> new Endpoint[] {FileCalls.memfd(new byte[100]), Endpoint.eventfd(0)};
        };
        carrierEnd.send("d", pair[0]);
        pair[0].close();
        opened.add(pair[1]);
        proxy.turnUntilIdle();
        receive();
        return received.remove(received.size() - 1).getData().getTransferredFd(0).getHandle();
    }

    private long openComponents(final Kind kind) {
        component = new OrderlyComponent();
        components.add(component);
        accepted = component;
        say(Messages.connectRequest(-1, COMPONENT));
        settle();
        opened.add(Endpoint.eventfd(0));
        final long channel = received.remove(received.size() - 1).getConnectResponse().getHandle();
        if (kind == Kind.CHANNEL) {
            return channel;
        }
        component.takesNothing = kind == Kind.UNTAKEN_CHANNEL;
        final long handle = --lastHandle;
        say(Messages.data(channel, "d", Messages.descriptor(kind.type, handle)));
        settle();
        return handle;
    }

    private void reachComponents(final Kind kind, final State state, final long handle) {
        final OrderlyComponent subject = kind == Kind.CHANNEL_OF_A_SOCKET ? component.passed : component;
        switch (state) {
            case APPLICATION_SHUT_WRITE -> subject.channel.shutdownOutput();
            case APPLICATION_SHUT_READ -> subject.channel.pause();
            case APPLICATION_SHUT_BOTH -> subject.channel.reset(Errno.ECONNRESET);
            case APPLICATION_CLOSED -> {
                if (component.file == null) {
                    subject.channel.close();
                } else {
                    component.file.close();
                }
            }
            case APPLICATION_CLOSED_UNREAD -> {
                subject.takesNothing = true;
                say(Messages.data(handle, "unread"));
                settle();
                subject.channel.close();
            }
            case QUEUED, QUEUED_AND_HALF_CLOSED, QUEUED_AND_CLOSED -> {
                subject.takesNothing = true;
                say(Messages.data(handle, new byte[4_000]));
                settle();
                if (state == State.QUEUED_AND_HALF_CLOSED) {
                    say(notice(Close.Notice.HALF_CLOSE, handle, 0, 0));
                } else if (state == State.QUEUED_AND_CLOSED) {
                    say(Messages.close(handle));
                }
            }
            case WITHOUT_CREDIT -> {
                final UnsafeBuffer bytes = new UnsafeBuffer(new byte[4000]);
                for (int i = 0; i < 10; i++) {
                    subject.channel.offer(bytes, 0, bytes.capacity());
                }
                settle();
            }
            case ASKED -> {
                if (component.file != null) {
                    final UnsafeBuffer bytes = new UnsafeBuffer(new byte[100]);
                    component.file.pread(0, bytes, 0, 100, 1, (file, id, result) -> { });
                    component.file.pwrite(0, bytes, 0, 100, 1, (file, id, result) -> { });
                    component.file.sync(false, 1, (file, id, result) -> { });
                }
            }
            case HALF_CLOSED, STOPPED, HALF_CLOSED_AND_STOPPED, CLOSED ->
                reach(Kind.CONNECTION, state, handle, null, true);
            default -> { }
        }
    }

    private static Endpoint[] swapped(final Endpoint[] pair) {
        return new Endpoint[] {pair[1], pair[0]};
    }

    private static Endpoint[] fifo() {
        final Endpoint[] pipe = Endpoint.pipe();
        final Endpoint both = Endpoint.of(FileCalls.reopen(pipe[0], Constants.O_RDWR), "open a pipe for both");
        pipe[0].close();
        return new Endpoint[] {both, pipe[1]};
    }

    private void reach(
        final Kind kind, final State state, final long handle, final Endpoint end, final boolean isExtended) {
        if (kind.isComponents()) {
            reachComponents(kind, state, handle);
            return;
        }
        switch (state) {
            case OPEN -> { }
            case PASSED_BACK -> carrierEnd.send("d", end);
            case APPLICATION_SHUT_WRITE -> Syscalls.shutdown(end.fd(), Constants.SHUT_WR);
            case APPLICATION_SHUT_READ -> Syscalls.shutdown(end.fd(), Constants.SHUT_RD);
            case APPLICATION_SHUT_BOTH -> Syscalls.shutdown(end.fd(), Constants.SHUT_RDWR);
            case APPLICATION_CLOSED -> close(opened.remove(opened.size() - 1));
            case APPLICATION_CLOSED_UNREAD -> {
                say(Messages.data(handle, "unread"));
                proxy.turnUntilIdle();
                close(opened.remove(opened.size() - 1));
            }
            case HALF_CLOSED -> say(notice(Close.Notice.HALF_CLOSE, handle, 0, 0));
            case STOPPED -> say(notice(Close.Notice.STOP_SENDING, handle, 0, 1));
            case HALF_CLOSED_AND_STOPPED -> {
                say(notice(Close.Notice.HALF_CLOSE, handle, 0, 0));
                say(notice(Close.Notice.STOP_SENDING, handle, 0, 0));
            }
            case QUEUED, QUEUED_AND_HALF_CLOSED, QUEUED_AND_CLOSED -> {
                for (int i = 0; i < 300 && session.queuedBytes() == 0; i++) {
                    say(Messages.data(handle, new byte[4_000]));
                    settle();
                }
                if (state == State.QUEUED_AND_HALF_CLOSED) {
                    say(notice(Close.Notice.HALF_CLOSE, handle, 0, 0));
                } else if (state == State.QUEUED_AND_CLOSED) {
                    say(Messages.close(handle));
                }
            }
            case WITHOUT_CREDIT -> {
                for (int i = 0; i < 10 && isExtended && !kind.isFile() && kind != Kind.OWN_FILE; i++) {
                    if (end.trySend(new byte[4000], 0, 4000) == -Errno.ENOTSOCK && end.isWritable()) {
                        end.tryWrite(new byte[4000], 0, 4000);
                    }
                    settle();
                }
            }
            case CLOSED -> say(Messages.close(handle));
            default -> {
                if (kind.isFile()) {
                    // The answer is for the message to give, or never comes.
                    calls.add(proxy.begin(() -> FileCalls.read(end, FileCalls.CURRENT_POSITION, new byte[10])));
                    proxy.turnUntil(() -> {
                        receive();
                        return received.stream().anyMatch(VSockMessage::hasPreadRequest);
                    }, () -> "a read");
                } else {
                    say(Messages.preadRequest(EveryMessage.REQUEST_COOKIE + 1, handle, 100, 0));
                }
            }
        }
    }

    // ---- What must hold

    private void check(final EveryMessage.Case message) {
        say(notice(Close.Notice.CANCEL, EveryMessage.REQUEST_COOKIE, 0, 0));
        say(Messages.fstatRequest(CHECK_COOKIE, NO_FILE));
        final boolean isRequest = message.message().toString().contains("cookie: " + EveryMessage.REQUEST_COOKIE);
        proxy.turnUntil(() -> {
            settle();
            final boolean isAnswered = !isRequest || answers(EveryMessage.REQUEST_COOKIE) > 0;
            return session.hasEnded() || (isAnswered && answers(CHECK_COOKIE) > 0);
        }, () -> "answers");
        assertFalse(session.hasEnded(), "the session has ended after the message");
        assertEquals(1, answers(CHECK_COOKIE), "answers to another request");
        assertEquals(isRequest ? 1 : 0, answers(EveryMessage.REQUEST_COOKIE), "answers to the request");
        say(Messages.data(other, "there"));
        proxy.turnUntil(() -> {
            settle();
            return otherEnd.isReadable();
        }, () -> "what goes to another stream");
        assertEquals("there", otherEnd.readText(5));
        otherEnd.send("and back");
        proxy.turnUntil(() -> {
            settle();
            return received.stream().anyMatch(
                each -> each.hasData() && each.getData().getHandle() == other
                    && each.getData().getBlob().toStringUtf8().equals("and back"));
        }, () -> "what another stream sends");
    }

    private long answers(final long cookie) {
        return received.stream().filter(each -> switch (each.getCommandCase()) {
            case PREAD_RESPONSE -> each.getPreadResponse().getCookie() == cookie;
            case PWRITE_RESPONSE -> each.getPwriteResponse().getCookie() == cookie;
            case FSTAT_RESPONSE -> each.getFstatResponse().getCookie() == cookie;
            case FTRUNCATE_RESPONSE -> each.getFtruncateResponse().getCookie() == cookie;
            default -> false;
        }).count();
    }

    private void finish(final int descriptors) {
        session.close();
        link.close();
        proxy.turnUntilIdle();
        components.forEach(OrderlyComponent::expectEnd);
        components.clear();
        for (final Future<?> call : calls) {
            proxy.await(call, "a call on a file");
        }
        calls.clear();
        opened.forEach(this::close);
        opened.clear();
        proxy.turnUntilIdle();
        assertEquals(0, session.handleCount(), "handles after the end");
        assertEquals(0, session.queuedBytes(), "queued bytes after the end");
        assertTrue(session.isSettled(), "not settled after the end");
        proxy.turnUntil(
            () -> proxy.mount.requestCount() == 0 && proxy.mount.fileCount() == 0, () -> "the kernel to forget files");
        if (!proxy.faults.isEmpty()) {
            final AssertionError error = new AssertionError("faults of the proxy's own", proxy.faults.get(0));
            proxy.faults.clear();
            throw error;
        }
        proxy.turnUntil(() -> Descriptors.count() <= descriptors,
            () -> "descriptors to be closed, before=" + descriptors + ", now=" + Descriptors.count());
    }

    // ---- The peer

    private void say(final VSockMessage message) {
        final byte[] frame = RawPeer.frame(message);
        int sent = 0;
        for (int i = 0; sent < frame.length && !ended; i++) {
            final int result = link.trySend(frame, sent, frame.length - sent);
            ended |= result < 0 && result != -Errno.EAGAIN;
            sent += Math.max(0, result);
            proxy.loop.turn(0);
            assertTrue(i < 10_000, "the link is not read");
        }
    }

    private static VSockMessage notice(
        final Close.Notice notice, final long subject, final long amount, final int bits) {
        return VSockMessage.newBuilder().setClose(Close.newBuilder()
            .setNotice(notice).setSubject(subject).setAmount(amount).setBits(bits)).build();
    }

    /** Lets the proxy do what it has to, and answers what it asks of a file's attributes. */
    private void settle() {
        final int before = received.size();
        proxy.turnUntilIdle();
        receive();
        for (int i = before; i < received.size(); i++) {
            final VSockMessage message = received.get(i);
            if (message.hasFstatRequest()) {
                say(VSockMessage.newBuilder().setFstatResponse(FstatResponse.newBuilder()
                    .setCookie(message.getFstatRequest().getCookie()).setSize(5)).build());
            }
        }
    }

    private void receive() {
        Received next = receiveNow();
        while (next != null) {
            next.descriptors().forEach(Endpoint::close);
            ended |= next.bytes().length == 0;
            final int before = unread.length;
            unread = Arrays.copyOf(unread, before + next.bytes().length);
            System.arraycopy(next.bytes(), 0, unread, before, next.bytes().length);
            next = ended ? null : receiveNow();
        }
        while (unread.length >= Long.BYTES) {
            final long length = ByteBuffer.wrap(unread).order(ByteOrder.LITTLE_ENDIAN).getLong();
            if (unread.length - Long.BYTES < length) {
                return;
            }
            final int end = Long.BYTES + (int) length;
            try {
                received.add(VSockMessage.parseFrom(Arrays.copyOfRange(unread, Long.BYTES, end)));
            } catch (final InvalidProtocolBufferException e) {
                throw new AssertionError(e);
            }
            unread = Arrays.copyOfRange(unread, end, unread.length);
        }
    }

    private Received receiveNow() {
        try {
            return ended ? null : link.receiveNow(1 << 20);
        } catch (final PosixException e) {
            ended = true;
            return null;
        }
    }

    private void close(final Endpoint end) {
        if (proxy.isFile(end.fd())) {
            proxy.elsewhere(end::close, "a file to be closed");
        } else {
            end.close();
        }
    }
}
