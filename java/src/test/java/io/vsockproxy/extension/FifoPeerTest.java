/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.extension;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.protobuf.ByteString;
import io.vsockproxy.LinkAddress;
import io.vsockproxy.Role;
import io.vsockproxy.posix.Constants;
import io.vsockproxy.posix.Errno;
import io.vsockproxy.posix.PollEvents;
import io.vsockproxy.proto.Close;
import io.vsockproxy.proto.Close.Notice;
import io.vsockproxy.proto.FileDescriptor;
import io.vsockproxy.proto.PreadRequest;
import io.vsockproxy.proto.PreadResponse;
import io.vsockproxy.proto.PwriteRequest;
import io.vsockproxy.proto.PwriteResponse;
import io.vsockproxy.proto.VSockMessage;
import io.vsockproxy.testing.Await;
import io.vsockproxy.testing.Background;
import io.vsockproxy.testing.Endpoint;
import io.vsockproxy.testing.FileCalls;
import io.vsockproxy.testing.Messages;
import io.vsockproxy.testing.MountedPair;
import io.vsockproxy.testing.Mounts;
import io.vsockproxy.testing.NoticePeer;
import io.vsockproxy.testing.ProxyPair;
import io.vsockproxy.testing.ProxyProcess;
import io.vsockproxy.testing.TestLink;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * A host, and a peer that may send anything about FIFOs open for reading and writing, the host's and its own.
 */
@Timeout(value = 60, unit = TimeUnit.SECONDS)
class FifoPeerTest {
    private static final int WINDOW = 1 << 20;
    private static final int FIFOS = 1;
    private static final int WAKE = 1 << 16;
    private static final int PIPE_LENGTH = 64 << 10;
    private static final int MAX_REQUESTS = 20;
    private static final long NOBODY = 424_242;

    private static Path directory;
    private static Endpoint target;
    private static ProxyProcess host;

    private final Deque<AutoCloseable> opened = new ArrayDeque<>();
    private int hostDescriptors;
    private NoticePeer guest;
    private Endpoint application;
    private long stream;

    @BeforeAll
    static void start() throws IOException {
        Mounts.assumeMountable();
        directory = Files.createTempDirectory("vp");
        target = Endpoint.listen(ProxyPair.hostTarget(directory));
        host = ProxyProcess.start(Stream.of(
            MountedPair.hostArguments(directory), MountedPair.withoutDescriptors(directory, Role.HOST),
            new String[] {"--max-file-requests", "" + MAX_REQUESTS})
            .flatMap(Stream::of).toArray(String[]::new)).awaitReady();
        Await.stable(host::descriptorCount);
    }

    @AfterAll
    static void stop() throws IOException {
        if (host != null) {
            host.signal("TERM");
            assertEquals(0, host.awaitExit(), host::toString);
            host.close();
            target.close();
            MountedPair.delete(directory);
        }
    }

    @BeforeEach
    void connect() {
        hostDescriptors = Await.stable(host::descriptorCount);
        connect(FIFOS);
    }

    @AfterEach
    void disconnect() throws Exception {
        while (!opened.isEmpty()) {
            opened.pop().close();
        }
        host.awaitDescriptorCount(hostDescriptors);
        assertTrue(host.isAlive(), host::toString);
        assertTrue(host.errors().stream().noneMatch(line -> line.contains("a fault in the proxy")), host::toString);
    }

    // ---- The proxy's own FIFO

    @Test
    void shouldAnswerReadsInOrderWithWhatIsThere() {
        final Endpoint fifo = fifo();
        final long handle = passed(fifo);
        guest.send(read(-10, handle, 100, 0), read(-11, handle, 2, 0));
        fifo.write("abc");
        assertEquals(data(-10, "abc"), guest.receive());
        fifo.write("def");
        assertEquals(data(-11, "de"), guest.receive());
        guest.send(read(-12, handle, 0, 0), read(-13, handle, -1, 0));
        assertEquals(data(-12, ""), guest.receive());
        assertEquals(data(-13, "f"), guest.receive());
    }

    @Test
    void shouldNotWaitForWhoeverDoesNotWantToWait() {
        final Endpoint fifo = fifo();
        final long handle = passed(fifo);
        guest.send(read(-10, handle, 100, 1));
        assertEquals(readError(-10, Errno.EAGAIN), guest.receive());
        // Nor behind one that waits.
        guest.send(read(-11, handle, 100, 0), read(-12, handle, 100, 1));
        assertEquals(readError(-12, Errno.EAGAIN), guest.receive());
        fifo.write("x");
        assertEquals(data(-11, "x"), guest.receive());

        guest.send(write(-13, handle, 2 * PIPE_LENGTH, 1), write(-14, handle, 1, 1));
        assertEquals(written(-13, PIPE_LENGTH), guest.receive());
        assertEquals(writeError(-14, Errno.EAGAIN), guest.receive());
        fifo.readFully(PIPE_LENGTH);
    }

    @Test
    void shouldTakeNothingForWhatWasCancelled() {
        final Endpoint fifo = fifo();
        final long handle = passed(fifo);
        guest.send(read(-10, handle, 100, 0), read(-11, handle, 100, 0), cancel(-10));
        assertEquals(readError(-10, Errno.EINTR), guest.receive());
        guest.send(cancel(-10), cancel(NOBODY), cancel(0));
        fifo.write("x");
        assertEquals(data(-11, "x"), guest.receive());
        guest.send(cancel(-11));
        fifo.write("y");
        expectNothingMore();
        assertEquals("y", fifo.readText(1));
    }

    @Test
    void shouldWriteAsThereIsRoomAndTellHowMuchOfACancelledWriteWasWritten() {
        final Endpoint fifo = fifo();
        final long handle = passed(fifo);
        guest.send(write(-10, handle, 3 * PIPE_LENGTH, 0), write(-11, handle, 5, 0));
        fifo.readFully(3 * PIPE_LENGTH);
        assertEquals(written(-10, 3 * PIPE_LENGTH), guest.receive());
        assertEquals(written(-11, 5), guest.receive());
        fifo.readFully(5);

        guest.send(write(-12, handle, 2 * PIPE_LENGTH, 0), write(-13, handle, 5, 0), cancel(-13), cancel(-12));
        assertEquals(writeError(-13, Errno.EINTR), guest.receive());
        assertEquals(written(-12, PIPE_LENGTH), guest.receive());
        fifo.readFully(PIPE_LENGTH);
        expectNothingMore();
        assertFalse(fifo.isReadable());
    }

    @Test
    void shouldTellWhatCanBeDoneAndOnceWhenThatChanges() {
        final Endpoint fifo = fifo();
        final long handle = passed(fifo);
        guest.send(NoticePeer.notice(Notice.WATCH, handle, 7, PollEvents.IN));
        assertEquals(PollEvents.WRITABLE, ready(handle, 7));
        guest.send(NoticePeer.notice(Notice.WATCH, handle, 8, PollEvents.IN | WAKE));
        assertEquals(PollEvents.WRITABLE, ready(handle, 8));
        fifo.write("x");
        assertEquals(PollEvents.READABLE | PollEvents.WRITABLE, ready(handle, 0));
        fifo.write("y");
        expectNothingMore();
        guest.send(NoticePeer.notice(Notice.WATCH, handle, 9, PollEvents.OUT | WAKE));
        assertEquals(PollEvents.READABLE | PollEvents.WRITABLE, ready(handle, 9));
        guest.send(NoticePeer.notice(Notice.WATCH, NOBODY, 10, PollEvents.IN | WAKE));
        assertEquals(PollEvents.ERROR | PollEvents.HANG_UP, ready(NOBODY, 10));
        guest.send(NoticePeer.notice(Notice.WATCH, handle, -1, -1));
        assertEquals(PollEvents.READABLE | PollEvents.WRITABLE, ready(handle, -1));
    }

    @Test
    void shouldAnswerWhatWaitsWhenThePeerClosesIt() {
        final int before = host.descriptorCount();
        final Endpoint fifo = fifo();
        final long handle = passed(fifo);
        guest.send(read(-10, handle, 1, 0), Messages.close(handle));
        assertEquals(readError(-10, Errno.EINTR), guest.receive());
        final long second = passed(fifo);
        guest.send(write(-11, second, PIPE_LENGTH + 1, 0), Messages.close(second));
        assertEquals(written(-11, PIPE_LENGTH), guest.receive());
        fifo.readFully(PIPE_LENGTH);
        guest.send(read(-12, handle, 1, 0), Messages.fstatRequest(-13, second));
        assertEquals(readError(-12, Errno.EBADF), guest.receive());
        assertEquals(Errno.EBADF, guest.receive().getFstatResponse().getErrorCode());
        host.awaitDescriptorCount(before);
    }

    @Test
    void shouldBoundHowManyWait() {
        final Endpoint fifo = fifo();
        final long handle = passed(fifo);
        for (int i = 0; i < MAX_REQUESTS; i++) {
            guest.send(read(-100 - i, handle, 1, 0));
        }
        guest.send(read(-10, handle, 1, 0), write(-11, handle, 2 * PIPE_LENGTH, 0));
        assertEquals(readError(-10, Errno.EAGAIN), guest.receive());
        // The write has served the readers before the rest, which may not wait, found no room.
        for (int i = 0; i < MAX_REQUESTS; i++) {
            final VSockMessage answer = guest.receive();
            if (answer.hasPwriteResponse()) {
                assertEquals(written(-11, PIPE_LENGTH), answer);
                i--;
            } else {
                assertEquals(data(-100 - i, "\0"), answer);
            }
        }
    }

    @Test
    void shouldTellTheTruthAboutAFifoAndRefuseToCutIt() throws Exception {
        final Endpoint fifo = fifo();
        final long handle = passed(fifo);
        guest.send(Messages.fstatRequest(-10, handle), Messages.ftruncateRequest(-11, handle, 0));
        assertEquals(FileCalls.mode(fifo), guest.receive().getFstatResponse().getMode());
        assertEquals(Errno.EINVAL, guest.receive().getFtruncateResponse().getErrorCode());
    }

    @Test
    void shouldGiveItBackToItsApplicationAndNothingElse() {
        final Endpoint fifo = fifo();
        final long handle = passed(fifo);
        guest.send(Messages.data(stream, "back", entry(handle), entry(handle)));
        final Endpoint[] back = application.receive().descriptors().toArray(Endpoint[]::new);
        assertEquals(2, back.length);
        back[0].write("x");
        assertEquals("x", fifo.readText(1));
        back[1].setNonBlocking();
        assertTrue(fifo.isNonBlocking());
        Endpoint.closeAll(back);
        // A handle that it does not have any more, among others.
        guest.send(Messages.close(handle));
        guest.send(Messages.data(stream, "gone", Messages.descriptor(FileDescriptor.Type.FIFO_READ, -30),
            entry(handle), entry(-31)));
        assertEquals(-30, guest.receive().getClose().getHandle());
        assertEquals(-31, guest.receive().getClose().getHandle());
        assertEquals(stream, guest.receive().getClose().getHandle());
        application.expectEnd();
        expectNothingMore();
    }

    @Test
    void shouldIgnoreNoticesAboutFifosFromAPeerWithoutSupport() throws Exception {
        disconnect();
        connect(0);
        guest.send(NoticePeer.notice(Notice.WATCH, NOBODY, 1, PollEvents.IN), cancel(1),
            NoticePeer.notice(Notice.READY, NOBODY, 1, PollEvents.IN));
        expectNothingMore();
    }

    @Test
    void shouldEndTheSessionOfAPeerThatPassesAFifoWithoutAGreeting() throws Exception {
        disconnect();
        guest = closing(new NoticePeer(Endpoint.connect(link())));
        open();
        guest.send(Messages.data(stream, "x", entry(-5)));
        guest.expectEnd();
        host.awaitErrorLine("has unknown type 7");
    }

    // ---- The peer's FIFO

    @Test
    void shouldAskForWhatAnApplicationReadsAndNoMore() throws Exception {
        try (Endpoint standIn = received()) {
            expectNothingMore();
            final CompletableFuture<Integer> reader = reader(standIn, 200_000);
            final PreadRequest request = nextRead();
            assertEquals(-5, request.getHandle());
            assertEquals(0, request.getOffset());
            assertEquals(PIPE_LENGTH, request.getCount());
            guest.send(data(request.getCookie(), "read"));
            assertEquals(4, Background.join(reader));

            standIn.setNonBlocking();
            final CompletableFuture<Integer> another = reader(standIn, 10);
            final PreadRequest second = nextRead();
            assertEquals(1, second.getOffset());
            assertEquals(10, second.getCount());
            guest.send(readError(second.getCookie(), Errno.EAGAIN));
            assertEquals(-Errno.EAGAIN, Background.join(another));

            final CompletableFuture<Integer> writer = Background.start(
                () -> FileCalls.write(standIn, FileCalls.CURRENT_POSITION, new byte[10]));
            final PwriteRequest third = guest.receive().getPwriteRequest();
            assertEquals(1, third.getOffset());
            assertEquals(10, third.getBlob().size());
            guest.send(written(third.getCookie(), 7));
            assertEquals(7, Background.join(writer));
        }
        assertEquals(-5, guest.receive().getClose().getHandle());
    }

    @Test
    void shouldTellAnInterruptedReaderWhatTheOwnerSays() throws Exception {
        try (Endpoint standIn = received()) {
            final Process reader = new ProcessBuilder(
                "sh", "-c", "exec cat < /proc/" + ProcessHandle.current().pid() + "/fd/" + standIn.fd()).start();
            // The kernel asks for the attributes before it reads.
            VSockMessage asked = guest.receive();
            while (asked.hasFstatRequest()) {
                guest.send(fstat(asked.getFstatRequest().getCookie()));
                asked = guest.receive();
            }
            final PreadRequest request = asked.getPreadRequest();
            reader.destroyForcibly();
            final VSockMessage cancel = guest.next(
                message -> NoticePeer.isNotice(message, Notice.CANCEL), "the CANCEL");
            assertEquals(request.getCookie(), cancel.getClose().getSubject());
            assertTrue(reader.isAlive(), "its read has not been answered yet");
            guest.send(readError(request.getCookie(), Errno.EINTR));
            reader.waitFor();
        }
    }

    @Test
    void shouldBearAnswersThatMakeNoSense() throws Exception {
        try (Endpoint standIn = received()) {
            final CompletableFuture<Integer> reader = reader(standIn, 3);
            final long cookie = nextRead().getCookie();
            guest.send(NoticePeer.notice(Notice.READY, -5, 0, -1), NoticePeer.notice(Notice.READY, -5, 99, -1),
                NoticePeer.notice(Notice.READY, NOBODY, 0, 1), NoticePeer.notice(Notice.CANCEL, cookie, 0),
                data(cookie, "more than was asked for"), data(cookie, "again"));
            assertEquals(-Errno.EIO, Background.join(reader));

            final CompletableFuture<Integer> poll =
                Background.start(() -> standIn.poll(Constants.EPOLLIN, (int) Await.TIMEOUT_MS));
            final Close watch = nextWatch();
            assertNotEquals(0, watch.getBits() & WAKE);
            guest.send(NoticePeer.notice(Notice.READY, -5, watch.getAmount(), 0x7FFF_0000),
                NoticePeer.notice(Notice.READY, -5, watch.getAmount(), 1));
            // Woken although nothing has happened, it asks again.
            for (int i = 0; i < 3; i++) {
                guest.send(NoticePeer.notice(Notice.READY, -5, 0, 0));
                guest.send(NoticePeer.notice(Notice.READY, -5, nextWatch().getAmount(), 0));
            }
            guest.send(NoticePeer.notice(Notice.READY, -5, 0, 0));
            guest.send(NoticePeer.notice(Notice.READY, -5, nextWatch().getAmount(), PollEvents.READABLE));
            assertEquals(Constants.EPOLLIN, Background.join(poll));
        }
    }

    @Test
    void shouldTellWhoeverWaitsThatTheOwnerIsGone() throws Exception {
        try (Endpoint standIn = received()) {
            final CompletableFuture<Integer> poll =
                Background.start(() -> standIn.poll(Constants.EPOLLIN, (int) Await.TIMEOUT_MS));
            guest.send(NoticePeer.notice(Notice.READY, -5, nextWatch().getAmount(), 0));
            final CompletableFuture<Integer> reader = reader(standIn, 3);
            nextRead();
            final CompletableFuture<Integer> writer = Background.start(
                () -> FileCalls.write(standIn, FileCalls.CURRENT_POSITION, new byte[10]));
            guest.next(VSockMessage::hasPwriteRequest, "the write");
            guest.close();
            assertEquals(-Errno.EIO, Background.join(reader));
            assertEquals(-Errno.EIO, Background.join(writer));
            assertEquals(Constants.EPOLLERR | Constants.EPOLLHUP, Background.join(poll));
            assertEquals(-Errno.EIO, FileCalls.read(standIn, FileCalls.CURRENT_POSITION, new byte[1]));
            assertEquals(Constants.EPOLLERR | Constants.EPOLLHUP, standIn.poll(Constants.EPOLLIN, 0));
            assertTrue(FileCalls.size(standIn) < 0);
        }
    }

    @Test
    void shouldKeepHalfOfTheRequestsForOtherFiles() throws Exception {
        final Endpoint file;
        guest.send(Messages.data(stream, "f", Messages.descriptor(FileDescriptor.Type.REGULAR_FILE, -6)
            .toBuilder().setFlags(Constants.O_RDWR).build()));
        guest.send(fstat(guest.next(VSockMessage::hasFstatRequest, "the fstat").getFstatRequest().getCookie()));
        file = closing(application.receive().only());
        try (Endpoint standIn = received()) {
            final List<CompletableFuture<Integer>> readers = new ArrayList<>();
            for (int i = 0; i < MAX_REQUESTS / 2; i++) {
                readers.add(reader(standIn, 1));
                nextRead();
            }
            assertEquals(-Errno.EAGAIN, Background.join(reader(standIn, 1)));
            assertEquals(Constants.EPOLLIN | Constants.EPOLLOUT,
                standIn.poll(Constants.EPOLLIN | Constants.EPOLLOUT, 0), "not gone: whoever tries is told");
            final CompletableFuture<Integer> reader =
                Background.start(() -> FileCalls.read(file, 0, new byte[1]));
            final PreadRequest request = nextRead();
            assertEquals(-6, request.getHandle());
            guest.send(data(request.getCookie(), "x"));
            assertEquals(1, Background.join(reader));
            guest.close();
            for (final CompletableFuture<Integer> one : readers) {
                assertEquals(-Errno.EIO, Background.join(one));
            }
        }
    }

    @Test
    void shouldRefuseWritesWhileOtherFilesHaveAllRequests() throws Exception {
        guest.send(Messages.data(stream, "f", Messages.descriptor(FileDescriptor.Type.REGULAR_FILE, -6)));
        guest.send(fstat(guest.next(VSockMessage::hasFstatRequest, "the fstat").getFstatRequest().getCookie()));
        final Endpoint file = closing(application.receive().only());
        try (Endpoint standIn = received()) {
            final List<CompletableFuture<Integer>> readers = new ArrayList<>();
            for (int i = 0; i < MAX_REQUESTS; i++) {
                readers.add(Background.start(() -> FileCalls.read(file, 0, new byte[1])));
                nextRead();
            }
            final CompletableFuture<Integer> writer = Background.start(
                () -> FileCalls.write(standIn, FileCalls.CURRENT_POSITION, new byte[1]));
            assertEquals(-Errno.EAGAIN, Background.join(writer));
            guest.close();
            for (final CompletableFuture<Integer> one : readers) {
                assertEquals(-Errno.EIO, Background.join(one));
            }
        }
    }

    private void connect(final int bits) {
        guest = closing(new NoticePeer(Endpoint.connect(link())));
        guest.send(NoticePeer.notice(Notice.GREETING, 0, WINDOW, bits));
        final Close greeting = guest.next().getClose();
        assertEquals(Notice.GREETING, greeting.getNotice());
        assertEquals(FIFOS, greeting.getBits() & FIFOS);
        open();
    }

    private void open() {
        guest.send(Messages.connectRequest(-1, ProxyPair.hostTarget(directory).toString()));
        application = closing(target.accept());
        stream = guest.receive().getConnectResponse().getHandle();
    }

    /** A FIFO of the host's application's. */
    private Endpoint fifo() {
        final Endpoint[] pipe = Endpoint.pipe();
        final Endpoint fifo = closing(Endpoint.of(FileCalls.reopen(pipe[0], Constants.O_RDWR), "open"));
        Endpoint.closeAll(pipe);
        return fifo;
    }

    /** Under which handle the host has passed it on. */
    private long passed(final Endpoint fifo) {
        application.send("p", fifo);
        final FileDescriptor entry = guest.receive().getData().getTransferredFd(0);
        assertEquals(FileDescriptor.Type.FIFO, entry.getType());
        assertEquals(Constants.O_RDWR, entry.getFlags() & Constants.O_ACCMODE);
        return entry.getHandle();
    }

    /** What the host's application gets for the guest's FIFO -5. */
    private Endpoint received() {
        guest.send(Messages.data(stream, "p", entry(-5)));
        guest.send(fstat(guest.next(VSockMessage::hasFstatRequest, "the fstat").getFstatRequest().getCookie()));
        return application.receive().only();
    }

    /** Everything sent so far has been dealt with, and nothing but this is said about it. */
    private void expectNothingMore() {
        guest.send(Messages.fstatRequest(-999, NOBODY));
        VSockMessage message = guest.next();
        while (!message.hasFstatResponse()) {
            assertTrue(message.hasClose() && message.getClose().getNotice() == Notice.CREDIT, message::toString);
            message = guest.next();
        }
    }

    private int ready(final long handle, final long token) {
        final Close ready =
            guest.next(message -> NoticePeer.isNotice(message, Notice.READY), "a READY").getClose();
        assertEquals(handle, ready.getSubject());
        assertEquals(token, ready.getAmount());
        return ready.getBits();
    }

    private PreadRequest nextRead() {
        return guest.next(VSockMessage::hasPreadRequest, "a read").getPreadRequest();
    }

    private Close nextWatch() {
        return guest.next(message -> NoticePeer.isNotice(message, Notice.WATCH), "a WATCH").getClose();
    }

    private <T extends AutoCloseable> T closing(final T resource) {
        opened.push(resource);
        return resource;
    }

    private static LinkAddress link() {
        return TestLink.in(directory);
    }

    private static CompletableFuture<Integer> reader(final Endpoint standIn, final int length) {
        return Background.start(() -> FileCalls.read(standIn, FileCalls.CURRENT_POSITION, new byte[length]));
    }

    private static FileDescriptor entry(final long handle) {
        return FileDescriptor.newBuilder()
            .setType(FileDescriptor.Type.FIFO).setHandle(handle).setFlags(Constants.O_RDWR).build();
    }

    private static VSockMessage fstat(final long cookie) {
        final VSockMessage.Builder message = VSockMessage.newBuilder();
        message.getFstatResponseBuilder().setCookie(cookie).setMode(Constants.S_IFIFO | 0600);
        return message.build();
    }

    private static VSockMessage cancel(final long cookie) {
        return NoticePeer.notice(Notice.CANCEL, cookie, 0);
    }

    private static VSockMessage read(final long cookie, final long handle, final long count, final long flags) {
        return Messages.preadRequest(cookie, handle, count, flags);
    }

    private static VSockMessage write(final long cookie, final long handle, final int length, final long flags) {
        return Messages.pwriteRequest(cookie, handle, new byte[length], flags);
    }

    private static VSockMessage data(final long cookie, final String text) {
        return VSockMessage.newBuilder().setPreadResponse(
            PreadResponse.newBuilder().setCookie(cookie).setBlob(ByteString.copyFromUtf8(text))).build();
    }

    private static VSockMessage readError(final long cookie, final int errno) {
        return VSockMessage.newBuilder().setPreadResponse(
            PreadResponse.newBuilder().setCookie(cookie).setErrorCode(errno)).build();
    }

    private static VSockMessage written(final long cookie, final long length) {
        return VSockMessage.newBuilder().setPwriteResponse(
            PwriteResponse.newBuilder().setCookie(cookie).setBytesWritten(length)).build();
    }

    private static VSockMessage writeError(final long cookie, final int errno) {
        return VSockMessage.newBuilder().setPwriteResponse(
            PwriteResponse.newBuilder().setCookie(cookie).setErrorCode(errno)).build();
    }
}
