/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.session;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.protobuf.ByteString;
import io.vsockproxy.config.SessionLimits;
import io.vsockproxy.posix.Constants;
import io.vsockproxy.posix.Errno;
import io.vsockproxy.posix.OwnedFd;
import io.vsockproxy.posix.PosixException;
import io.vsockproxy.posix.Syscalls;
import io.vsockproxy.proto.Close;
import io.vsockproxy.proto.ConnectResponse;
import io.vsockproxy.proto.FileDescriptor;
import io.vsockproxy.proto.FstatResponse;
import io.vsockproxy.proto.FtruncateResponse;
import io.vsockproxy.proto.PreadResponse;
import io.vsockproxy.proto.PwriteResponse;
import io.vsockproxy.proto.VSockMessage;
import io.vsockproxy.testing.Endpoint;
import io.vsockproxy.testing.FileCalls;
import io.vsockproxy.testing.Messages;
import io.vsockproxy.testing.RawPeer;
import io.vsockproxy.testing.Received;
import io.vsockproxy.testing.Script;
import io.vsockproxy.wire.Notice;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.Future;
import org.agrona.concurrent.UnsafeBuffer;

/**
 * One session, from its beginning to its end, whose peer and applications follow a fuzzer's input.
 */
final class HostileScript implements AutoCloseable {
    static final int MAX_FILE_CALLS = 4;

    private static final int OPERATIONS = 19;
    private static final int[] LENGTHS =
        {0, 1, 5, 100, 4096, 16_000, 20_000, 40_000, 70_000, 130_000, 262_100, 300_000};
    /** So many of the lengths are allowed for early data. */
    private static final int MAX_EARLY_LENGTHS = 5;
    /** So many of the lengths fit into a socket at once. */
    private static final int MAX_WRITTEN_LENGTHS = 7;
    private static final int[] SOCKET_TYPES =
        {Constants.SOCK_STREAM, Constants.SOCK_DGRAM, Constants.SOCK_SEQPACKET};
    private static final int MAX_APPLICATIONS = 24;
    private static final int MAX_OPERATIONS = 400;
    private static final int FILE_LENGTH = 10_000;
    private static final int NO_FILE = 424_242;
    private static final int MAX_PIECE_LENGTH = 1 << 20;
    private static final int PIPE_PIECE_LENGTH = 4096;
    private static final int MAX_STUCK_TURNS = 5;
    private static final int FILE_TURNS = 4;
    private static final long FILE_TURN_NS = 1_000_000;
    private static final byte[] BYTES = new byte[LENGTHS[LENGTHS.length - 1]];

    private final Script script;
    private final FuzzedProxy proxy;
    private final Session session;
    private final HostilePeer peer;
    private final boolean isHost;
    private final List<Endpoint> applications = new ArrayList<>();
    private final List<Future<Long>> fileCalls = new ArrayList<>();
    private final Set<Long> cancelled = new HashSet<>();
    private long lastHandle;
    private long lastCookie;
    private int forwards;
    private boolean holds;
    private boolean reads = true;

    HostileScript(final FuzzedProxy proxy, final byte[] input) {
        this.proxy = proxy;
        script = new Script(input);
        final int setting = script.next();
        isHost = (setting & 1) == 0;
        final Endpoint[] pair = Endpoint.socketPair(Constants.SOCK_STREAM);
        session = proxy.session(pair[0], isHost, (setting & 2) == 0, (setting & 4) == 0);
        peer = new HostilePeer(pair[1], isHost);
        session.start();
        if ((setting & 8) == 0) {
            if ((setting & 2) == 0) {
                peer.window(LENGTHS[setting >> 4 & 7] + 1L);
            }
            say(notice(
                Close.Notice.GREETING, 0, LENGTHS[setting >> 4 & 7] + 1L, Notice.FIFOS | Notice.EARLY_DATA));
        }
    }

    /** Does what the script says, then lets everybody take what there is, and asks for one more answer. */
    void run() {
        for (int i = 0; i < MAX_OPERATIONS && !script.isOver(); i++) {
            step();
            proxy.loop.turn(0);
            checkBounds();
        }
        holds = false;
        settle();
        if (!session.hasEnded() && peer.isInStep()) {
            say(Messages.fstatRequest(++lastCookie, NO_FILE));
            settle();
        }
        // A file that must be opened first may take some milliseconds longer.
        proxy.turnUntil(
            () -> {
                settle();
                return session.hasEnded() || peer.unsentLength() == 0 || peer.isStarving();
            },
            () -> "the link to be read");
        if (!session.hasEnded() && peer.isInStep() && !peer.isStarving()) {
            // A connect to a listener with a full backlog, from which one was just accepted, may take some milliseconds
            // longer.
            proxy.turnUntil(
                () -> {
                    // A read of a FIFO without data waits for this.
                    for (final long cookie : new ArrayList<>(peer.unanswered().keySet())) {
                        if (cancelled.add(cookie)) {
                            say(notice(Close.Notice.CANCEL, cookie, 0, 0));
                        }
                    }
                    refuseWhatIsAsked();
                    settle();
                    return session.hasEnded() || peer.unanswered().isEmpty() || peer.isStarving();
                },
                () -> "answers to " + peer.unanswered());
        }
        assertTrue(session.hasEnded() || !peer.hasEnded() || peer.isStarving(),
            "the link has ended, the session has not");
    }

    /** Ends the session, if that has not happened yet, by whatever the script says. Nothing may be left of it. */
    @Override
    public void close() {
        if (script.flip()) {
            peer.close();
            proxy.turnUntil(session::hasEnded, () -> "the session's end");
        }
        session.close();
        peer.close();
        for (final Future<Long> call : fileCalls) {
            proxy.await(call, "a call on a file whose owner has gone");
        }
        while (!applications.isEmpty()) {
            closeApplication(applications.remove(0));
        }
        acceptAll();
        while (!applications.isEmpty()) {
            closeApplication(applications.remove(0));
        }
        proxy.turnUntilIdle();
        assertEquals(0, session.handleCount(), "handles after the end");
        assertEquals(0, session.queuedBytes(), "queued bytes after the end");
        assertTrue(session.isSettled(), "not settled after the end");
        if (proxy.mount != null) {
            proxy.turnUntil(
                () -> proxy.mount.requestCount() == 0 && proxy.mount.fileCount() == 0,
                () -> "the kernel to forget files");
        }
        if (!proxy.faults.isEmpty()) {
            final AssertionError error = new AssertionError("faults of the proxy's own", proxy.faults.get(0));
            proxy.faults.clear();
            throw error;
        }
    }

    private void step() {
        switch (script.choose(OPERATIONS)) {
            case 0 -> connectRequest();
            case 1, 2 -> data();
            case 3 -> say(VSockMessage.newBuilder()
                .setClose(Close.newBuilder().setHandle(handle()).setReason(script.choose(3) * 50)).build());
            case 4 -> {
                final Close.Notice notice = Close.Notice.forNumber(script.choose(10));
                final long subject = handle();
                final long amount = script.number();
                say(notice(notice, subject, amount, (int) amount));
            }
            case 5 -> fileRequest();
            case 6 -> response();
            case 7 -> {
                // Any body in a frame of its length.
                final byte[] body = script.take(script.next());
                final byte[] frame = new byte[Long.BYTES + body.length];
                frame[0] = (byte) body.length;
                System.arraycopy(body, 0, frame, Long.BYTES, body.length);
                say(frame, null);
            }
            case 8 -> say(script.take(1 + script.choose(32)), null);
            case 9 -> holds = !holds;
            case 10 -> sendPart(script.next() * (1 + script.choose(64)));
            case 11 -> {
                reads = !reads;
                receive();
            }
            case 12 -> acceptAll();
            case 13 -> applicationSends();
            case 14 -> applicationReceives();
            case 15 -> {
                if (!applications.isEmpty()) {
                    closeApplication(applications.remove(script.choose(applications.size())));
                }
            }
            case 16 -> applicationUsesFile();
            case 17 -> forward();
            default -> {
                final int choice = script.next();
                if (choice == 0) {
                    peer.shutdownWrite();
                } else if (choice == 1) {
                    session.end("because the script says so");
                } else if (!applications.isEmpty()) {
                    final Endpoint application = applications.get(choice % applications.size());
                    Syscalls.shutdown(application.fd(), Constants.SHUT_WR);
                }
            }
        }
    }

    // ---- What the peer says

    private void connectRequest() {
        final int choice = script.choose(5);
        final String path = switch (choice) {
            case 0, 1 -> proxy.targetPath().toString();
            case 2 -> proxy.nothingPath().toString();
            case 3 -> "/etc/" + "x".repeat(script.next());
            default -> proxy.targetPath() + "\0";
        };
        // Every other one has early data, of all lengths in turn.
        lastCookie++;
        final int earlyLength = choice % 2 == 0 ? 0 : LENGTHS[(int) (lastCookie % MAX_EARLY_LENGTHS)];
        say(Messages.connectRequest(lastCookie, path, new byte[earlyLength]));
    }

    private void data() {
        final long handle = handle();
        final byte[] blob = new byte[LENGTHS[script.choose(LENGTHS.length)]];
        final FileDescriptor[] descriptors = new FileDescriptor[script.choose(9)];
        final List<Endpoint> riding = new ArrayList<>();
        for (int i = 0; i < descriptors.length; i++) {
            final int type = script.choose(8);
            final FileDescriptor.Builder descriptor = FileDescriptor.newBuilder()
                .setTypeValue(type).setFlags(script.choose(4)).setHandle(script.next() < 0xD0 ? newHandle() : handle());
            if (type == FileDescriptor.Type.TRANSPORTABLE_VALUE) {
                if (script.next() < 0xE0) {
                    descriptor.setHandle(0);
                    riding.add(Endpoint.eventfd(0));
                }
            }
            descriptors[i] = descriptor.build();
        }
        if (script.next() > 0xF0) {
            riding.add(Endpoint.eventfd(0));
        }
        final VSockMessage message = Messages.data(handle, blob, descriptors);
        if (riding.isEmpty()) {
            say(message);
        } else {
            // On the first byte of its frame.
            flush();
            peer.say(RawPeer.frame(message), message, riding.toArray(Endpoint[]::new));
            flushUnlessHeld();
        }
    }

    private void fileRequest() {
        final long handle = handle();
        say(switch (script.choose(4)) {
            case 0 -> Messages.preadRequest(++lastCookie, handle, script.number(), script.number());
            case 1 -> Messages.pwriteRequest(
                ++lastCookie, handle, new byte[LENGTHS[script.choose(LENGTHS.length)]], script.number());
            case 2 -> Messages.fstatRequest(++lastCookie, handle);
            default -> Messages.ftruncateRequest(++lastCookie, handle, script.number());
        });
    }

    /** To what the proxy has asked, of the right kind or not; or to nothing. */
    private void response() {
        final int choice = script.next();
        long cookie = choice;
        int kind = script.next();
        if (choice < 0xF0 && !peer.asked.isEmpty()) {
            final HostilePeer.Asked request = peer.asked.remove(choice % peer.asked.size());
            cookie = request.cookie();
            kind = kind < 0xF0 ? request.command().getNumber() + 1 : kind;
        }
        final int errno = script.choose(4) == 0 ? (int) script.number() : 0;
        final VSockMessage.Builder message = VSockMessage.newBuilder();
        switch (kind) {
            case VSockMessage.PREAD_RESPONSE_FIELD_NUMBER -> message.setPreadResponse(
                PreadResponse.newBuilder().setCookie(cookie).setErrorCode(errno)
                    .setBlob(ByteString.copyFrom(BYTES, 0, LENGTHS[script.choose(LENGTHS.length)])));
            case VSockMessage.PWRITE_RESPONSE_FIELD_NUMBER -> message.setPwriteResponse(
                PwriteResponse.newBuilder().setCookie(cookie).setErrorCode(errno).setBytesWritten(script.number()));
            case VSockMessage.FSTAT_RESPONSE_FIELD_NUMBER -> message.setFstatResponse(
                FstatResponse.newBuilder().setCookie(cookie).setErrorCode(errno).setSize(script.number()));
            case VSockMessage.FTRUNCATE_RESPONSE_FIELD_NUMBER -> message.setFtruncateResponse(
                FtruncateResponse.newBuilder().setCookie(cookie).setErrorCode(errno));
            default -> message.setConnectResponse(
                ConnectResponse.newBuilder().setCookie(cookie).setErrorCode(errno)
                    .setHandle(script.flip() ? newHandle() : handle()));
        }
        say(message.build());
    }

    /** A request of the peer's for a file of its own, which was passed back to it, is asked of itself. */
    private void refuseWhatIsAsked() {
        while (!peer.asked.isEmpty()) {
            final HostilePeer.Asked request = peer.asked.remove(0);
            final long cookie = request.cookie();
            final VSockMessage.Builder message = VSockMessage.newBuilder();
            switch (request.command()) {
                case PREAD_REQUEST -> message.setPreadResponse(
                    PreadResponse.newBuilder().setCookie(cookie).setErrorCode(Errno.EIO));
                case PWRITE_REQUEST -> message.setPwriteResponse(
                    PwriteResponse.newBuilder().setCookie(cookie).setErrorCode(Errno.EIO));
                case FSTAT_REQUEST -> message.setFstatResponse(
                    FstatResponse.newBuilder().setCookie(cookie).setErrorCode(Errno.EIO));
                case FTRUNCATE_REQUEST -> message.setFtruncateResponse(
                    FtruncateResponse.newBuilder().setCookie(cookie).setErrorCode(Errno.EIO));
                default -> message.setConnectResponse(
                    ConnectResponse.newBuilder().setCookie(cookie).setErrorCode(Errno.EIO));
            }
            say(message.build());
        }
    }

    private static VSockMessage notice(
        final Close.Notice notice, final long subject, final long amount, final int bits) {
        return VSockMessage.newBuilder().setClose(
            Close.newBuilder().setNotice(notice).setSubject(subject).setAmount(amount).setBits(bits)).build();
    }

    /** One that was made up before, mostly. */
    private long handle() {
        final int choice = script.next();
        if (choice < 0xE0) {
            return peer.handles.isEmpty() ? newHandle() : peer.handles.get(peer.handles.size() - 1
                - choice % peer.handles.size());
        }
        return choice < 0xF0 ? newHandle() : script.number();
    }

    /** A new one, of the peer's sign. */
    private long newHandle() {
        lastHandle += isHost ? -1 : 1;
        peer.know(lastHandle);
        return lastHandle;
    }

    private void say(final VSockMessage message) {
        say(RawPeer.frame(message), message);
    }

    private void say(final byte[] frame, final VSockMessage message) {
        peer.say(frame, message);
        flushUnlessHeld();
    }

    private void flushUnlessHeld() {
        if (!holds) {
            flush();
        }
    }

    /** Sends what was said, as far as the proxy reads on: whether anything went. */
    private boolean flush() {
        boolean moves = false;
        int stuck = 0;
        while (peer.unsentLength() > 0 && stuck < MAX_STUCK_TURNS && !peer.hasEnded()) {
            stuck = peer.send(Integer.MAX_VALUE) > 0 ? 0 : stuck + 1;
            moves |= stuck == 0;
            proxy.loop.turn(0);
            receive();
        }
        return moves;
    }

    private void sendPart(final int length) {
        peer.send(length);
        proxy.loop.turn(0);
        proxy.loop.turn(0);
    }

    private void receive() {
        if (reads) {
            peer.receive();
        }
    }

    // ---- What the applications do

    private void acceptAll() {
        while (proxy.target.isReadable()) {
            add(proxy.target.accept());
        }
    }

    private void forward() {
        if (session.hasEnded()) {
            return;
        }
        final Endpoint[] pair = Endpoint.socketPair(Constants.SOCK_STREAM);
        // Like a socket that a listener has accepted, with something in it already.
        pair[1].setNonBlocking();
        final byte[] written = new byte[LENGTHS[forwards % MAX_WRITTEN_LENGTHS]];
        if (written.length > 0 && forwards % 3 == 0) {
            try (Endpoint passed = Endpoint.eventfd(0)) {
                pair[0].send(written, passed);
            }
        } else if (written.length > 0) {
            pair[0].send(written);
        }
        forwards++;
        add(pair[0]);
        final UnsafeBuffer path = new UnsafeBuffer("/remote".getBytes(StandardCharsets.US_ASCII));
        session.forward(
            OwnedFd.of(Syscalls.fcntl(pair[1].fd(), Constants.F_DUPFD_CLOEXEC, 0)), path);
        pair[1].close();
    }

    private void add(final Endpoint application) {
        if (applications.size() < MAX_APPLICATIONS) {
            applications.add(application);
        } else {
            closeApplication(application);
        }
    }

    private void closeApplication(final Endpoint application) {
        if (proxy.isFile(application.fd())) {
            proxy.elsewhere(application::close, "a file to be closed");
        } else {
            application.close();
        }
    }

    private void applicationSends() {
        if (applications.isEmpty()) {
            return;
        }
        final Endpoint application = applications.get(script.choose(applications.size()));
        final int length = LENGTHS[script.choose(LENGTHS.length)];
        final List<Endpoint> passed = new ArrayList<>();
        for (int i = script.choose(4); i > 0; i--) {
            passed.add(descriptor());
        }
        if (passed.isEmpty() && !proxy.isFile(application.fd())) {
            // A pipe, too.
            if (application.trySend(BYTES, 0, length) == -Errno.ENOTSOCK
                && application.isWritable()) {
                application.tryWrite(BYTES, 0, Math.min(length, PIPE_PIECE_LENGTH));
            }
        } else {
            application.trySend(BYTES, 0, length, passed.toArray(Endpoint[]::new));
        }
        passed.forEach(this::closeApplication);
    }

    /** Something to be passed, whose other end, if it has one, stays with the applications. */
    private Endpoint descriptor() {
        final int choice = script.choose(8);
        switch (choice) {
            case 0, 1, 2 -> {
                final Endpoint[] pair = Endpoint.socketPair(SOCKET_TYPES[choice]);
                add(pair[0]);
                return pair[1];
            }
            case 3, 4 -> {
                final Endpoint[] pipe = Endpoint.pipe();
                add(pipe[choice - 3]);
                return pipe[4 - choice];
            }
            case 5 -> {
                return applications.size() % 2 == 0 ? fifo() : Endpoint.eventfd(0);
            }
            case 6 -> {
                return applications.isEmpty() ? Endpoint.eventfd(1)
                    : FileCalls.duplicate(applications.get(script.choose(applications.size())));
            }
            default -> {
                return FileCalls.memfd(new byte[FILE_LENGTH]);
            }
        }
    }

    /** A pipe's one descriptor that is open for both, with something in it. */
    private static Endpoint fifo() {
        final Endpoint[] pipe = Endpoint.pipe();
        final Endpoint both = Endpoint.of(FileCalls.reopen(pipe[0], Constants.O_RDWR), "open a pipe for both");
        both.write("something");
        Endpoint.closeAll(pipe);
        return both;
    }

    private void applicationReceives() {
        if (!applications.isEmpty()) {
            take(applications.get(script.choose(applications.size())));
        }
    }

    /** Takes one piece of what there is: whether there was any. */
    private boolean take(final Endpoint application) {
        if (proxy.isFile(application.fd())) {
            return false;
        }
        try {
            final Received received = application.receiveNow(MAX_PIECE_LENGTH);
            if (received != null) {
                received.descriptors().forEach(this::add);
            }
            return received != null && received.bytes().length > 0;
        } catch (final PosixException e) {
            return e.errno() == Errno.ENOTSOCK && takeFromPipe(application);
        }
    }

    private static boolean takeFromPipe(final Endpoint application) {
        final boolean isReadEnd = (application.statusFlags() & Constants.O_ACCMODE) == Constants.O_RDONLY;
        final byte[] piece = new byte[PIPE_PIECE_LENGTH];
        return isReadEnd && application.isReadable() && application.read(piece, 0, piece.length) > 0;
    }

    /** One call on a file: the peer answers in time, too late, or never. */
    private void applicationUsesFile() {
        final int choice = script.next();
        final long offset = Math.max(0, script.number());
        fileCalls.removeIf(Future::isDone);
        for (final Endpoint application : applications) {
            if (fileCalls.size() < MAX_FILE_CALLS && proxy.isFile(application.fd())) {
                final Endpoint file = FileCalls.duplicate(application);
                fileCalls.add(proxy.begin(() -> {
                    try (file) {
                        return switch (choice % 4) {
                            case 0 -> {
                                final byte[] bytes = new byte[LENGTHS[choice % LENGTHS.length]];
                                final int count = FileCalls.read(file, offset, bytes);
                                yield (long) (count != -Errno.ESPIPE ? count
                                    : FileCalls.read(file, FileCalls.CURRENT_POSITION, bytes));
                            }
                            case 1 -> {
                                final byte[] bytes = new byte[LENGTHS[choice % LENGTHS.length]];
                                final int count = FileCalls.write(file, offset, bytes);
                                yield (long) (count != -Errno.ESPIPE ? count
                                    : FileCalls.write(file, FileCalls.CURRENT_POSITION, bytes));
                            }
                            case 2 -> FileCalls.size(file);
                            default -> (long) FileCalls.truncate(file, offset);
                        };
                    }
                }));
                // Usually up to where the kernel asks.
                for (int i = 0; i < FILE_TURNS; i++) {
                    proxy.loop.turn(FILE_TURN_NS);
                }
                return;
            }
        }
    }

    // ---- What must hold

    private void checkBounds() {
        final SessionLimits limits = FuzzedProxy.LIMITS;
        assertTrue(session.handleCount() <= limits.maxHandles(), () -> "handles: " + session.handleCount());
        assertTrue(
            session.queuedBytes() <= limits.maxSessionQueueLength() + limits.maxFrameLength() + (64L << 10),
            () -> "queued bytes: " + session.queuedBytes());
    }

    /** Lets everybody take what there is until nothing moves. */
    private void settle() {
        reads = true;
        boolean moves = true;
        while (moves) {
            moves = flush();
            proxy.turnUntilIdle();
            receive();
            acceptAll();
            for (final Endpoint application : new ArrayList<>(applications)) {
                moves |= take(application);
            }
        }
        checkBounds();
    }
}
