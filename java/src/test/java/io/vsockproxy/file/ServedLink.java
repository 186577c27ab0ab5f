/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.file;

import static org.junit.jupiter.api.Assertions.assertEquals;

import com.google.protobuf.InvalidProtocolBufferException;
import io.vsockproxy.link.InboundBuffer;
import io.vsockproxy.link.Link;
import io.vsockproxy.link.LinkHandler;
import io.vsockproxy.link.LinkSockets;
import io.vsockproxy.link.OutboundRing;
import io.vsockproxy.loop.EventLoop;
import io.vsockproxy.posix.Constants;
import io.vsockproxy.posix.Memory;
import io.vsockproxy.posix.OwnedFd;
import io.vsockproxy.posix.SplicePipe;
import io.vsockproxy.posix.Syscalls;
import io.vsockproxy.proto.PreadResponse;
import io.vsockproxy.proto.VSockMessage;
import io.vsockproxy.session.FileAnswersFactory;
import io.vsockproxy.testing.Endpoint;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;

/**
 * A file server that answers over a real link, on a loop that the test runs turn by turn, and a peer that decodes the
 * answers with protobuf's classes. The peer reads only when the test says so.
 */
final class ServedLink implements AutoCloseable {
    static final int OUTBOUND_LENGTH = 4 << 20;
    private static final long TIMEOUT_NS = TimeUnit.SECONDS.toNanos(20);
    private static final long TURN_NS = TimeUnit.MILLISECONDS.toNanos(1);


    final EventLoop loop = new EventLoop(0, e -> {
        throw new AssertionError(e);
    });
    final FileWorkers workers;
    final FileWindows windows;
    final FileServer server;
    final OutboundRing ring = new OutboundRing(OUTBOUND_LENGTH, OUTBOUND_LENGTH / 2);
    private final Link link;
    private final Endpoint peer;
    private final List<LocalFile> files = new ArrayList<>();
    private final Map<Long, VSockMessage> answers = new HashMap<>();
    private final List<Long> order = new ArrayList<>();
    private byte[] unread = new byte[0];
    private boolean linkClosed;
    private long lastCookie;

    ServedLink(final FileLimits limits) {
        this(limits, 4, FileWindows.DEFAULT_MAX_MAPPED_LENGTH, FileWindows.DEFAULT_WINDOW_LENGTH);
    }

    ServedLink(final FileLimits limits, final int threads, final long maxMappedLength, final int windowLength) {
        workers = new FileWorkers(loop, threads);
        windows = new FileWindows(workers, maxMappedLength, windowLength);
        final Endpoint[] pair = Endpoint.socketPair(Constants.SOCK_STREAM);
        peer = pair[1];
        final OwnedFd local = OwnedFd.of(Syscalls.fcntl(pair[0].fd(), Constants.F_DUPFD_CLOEXEC, 0));
        pair[0].close();
        LinkSockets.configureUnix(local.fd());
        link = new Link(loop, local, true, new InboundBuffer(1 << 16, 1 << 16), ring, null, null, new LinkHandler() {
            @Override
            public void onReceived() {
                throw new AssertionError("nothing is sent this way");
            }

            @Override
            public int spliceableLength() {
                return 0;
            }

            @Override
            public void onSpliced(final SplicePipe pipe, final int length) {
                throw new AssertionError("nothing is sent this way");
            }

            @Override
            public void onPipeFull(final SplicePipe pipe) {
                throw new AssertionError("nothing is sent this way");
            }

            @Override
            public int receiveLength() {
                return Integer.MAX_VALUE;
            }

            @Override
            public void onInputEnded() {
                // onEnded() follows.
            }

            @Override
            public void onRoom() {
                server().onRoom();
            }

            @Override
            public void onEnded(final int errno) {
                throw new AssertionError("link ended: " + errno);
            }
        });
        server = new FileServer(workers, windows, FileAnswersFactory.over(link), limits);
        link.start();
    }

    private FileServer server() {
        return server;
    }

    /** A file to be served; given back by {@link #release} or at the end. */
    LocalFile open(final Path path, final int flags) {
        return serve(Endpoint.open(path, flags));
    }

    /** The same for a descriptor, of which it takes ownership. */
    LocalFile serve(final Endpoint descriptor) {
        final LocalFile file =
            new LocalFile(OwnedFd.of(Syscalls.fcntl(descriptor.fd(), Constants.F_DUPFD_CLOEXEC, 0)));
        descriptor.close();
        files.add(file);
        return file;
    }

    /** The peer's Close. */
    void release(final LocalFile file) {
        files.remove(file);
        server.close(file);
    }

    long newCookie() {
        return ++lastCookie;
    }

    // ---- Requests; each answers its cookie

    long read(final LocalFile file, final long offset, final long count) {
        server.read(file, ++lastCookie, count, offset);
        return lastCookie;
    }

    long write(final LocalFile file, final long offset, final byte[] bytes) {
        // As from an inbound buffer: off the heap, and overwritten when this returns.
        try (Memory memory = Memory.allocate(bytes.length + 1)) {
            memory.buffer().putBytes(1, bytes);
            server.write(file, ++lastCookie, memory.buffer(), 1, bytes.length, offset);
        }
        return lastCookie;
    }

    long append(final LocalFile file, final byte[] bytes) {
        return write(file, FileRelay.END_OF_FILE, bytes);
    }

    long examine(final LocalFile file) {
        server.examine(file, ++lastCookie);
        return lastCookie;
    }

    long sync(final LocalFile file) {
        server.sync(file, ++lastCookie, false);
        return lastCookie;
    }

    long truncate(final LocalFile file, final long length) {
        server.truncate(file, ++lastCookie, length);
        return lastCookie;
    }

    // ---- Answers

    /** Turns the loop, and reads, until the answer is there. */
    VSockMessage answer(final long cookie) {
        turnUntil(() -> answers.containsKey(cookie), true, "the answer to " + cookie);
        return answers.get(cookie);
    }

    /** The bytes that a read found; an error fails the test. */
    byte[] bytes(final long cookie) {
        final PreadResponse response = answer(cookie).getPreadResponse();
        assertEquals(0, response.getErrorCode(), "error of request " + cookie);
        return response.getBlob().toByteArray();
    }

    int readError(final long cookie) {
        return answer(cookie).getPreadResponse().getErrorCode();
    }

    byte[] readNow(final LocalFile file, final long offset, final long count) {
        return bytes(read(file, offset, count));
    }

    void writeNow(final LocalFile file, final long offset, final byte[] bytes) {
        final VSockMessage message = answer(write(file, offset, bytes));
        assertEquals(0, message.getPwriteResponse().getErrorCode());
        assertEquals(bytes.length, message.getPwriteResponse().getBytesWritten());
    }

    long sizeNow(final LocalFile file) {
        final VSockMessage message = answer(examine(file));
        assertEquals(0, message.getFstatResponse().getErrorCode());
        return message.getFstatResponse().getSize();
    }

    /** Cookies of the answers in the order in which they have come. */
    List<Long> order() {
        return order;
    }

    boolean isAnswered(final long cookie) {
        return answers.containsKey(cookie);
    }

    /** Turns the loop until {@code condition} holds, with the peer reading or not. */
    void turnUntil(final BooleanSupplier condition, final boolean peerReads, final String what) {
        final long deadlineNs = System.nanoTime() + TIMEOUT_NS;
        while (!condition.getAsBoolean()) {
            if (System.nanoTime() - deadlineNs > 0) {
                throw new AssertionError("not in time: " + what);
            }
            loop.turn(TURN_NS);
            if (peerReads) {
                receive(Integer.MAX_VALUE);
            }
        }
    }

    /** So many turns, with the peer reading nothing. */
    void turn(final int count) {
        for (int i = 0; i < count; i++) {
            loop.turn(0);
        }
    }

    /** The peer reads up to so many bytes of what has come. */
    void receive(final int maxLength) {
        int left = maxLength;
        while (left > 0 && peer.isReadable()) {
            final byte[] bytes = peer.receive(Math.min(left, 1 << 20)).bytes();
            left -= bytes.length;
            final byte[] joined = Arrays.copyOf(unread, unread.length + bytes.length);
            System.arraycopy(bytes, 0, joined, unread.length, bytes.length);
            unread = joined;
            parse();
        }
    }

    /** Ends the session as a real one does. */
    void endSession() {
        linkClosed = true;
        link.close();
        server.close();
        files.forEach(server::abandon);
        files.clear();
    }

    @Override
    public void close() {
        if (!linkClosed) {
            endSession();
        }
        workers.close();
        assertEquals(0, windows.mappedLength(), "bytes still mapped");
        windows.close();
        peer.close();
        loop.close();
    }

    private void parse() {
        int position = 0;
        try {
            while (unread.length - position >= Long.BYTES) {
                final long length =
                    ByteBuffer.wrap(unread, position, Long.BYTES).order(ByteOrder.LITTLE_ENDIAN).getLong();
                if (unread.length - position - Long.BYTES < length) {
                    break;
                }
                position += Long.BYTES;
                final VSockMessage message =
                    VSockMessage.parseFrom(Arrays.copyOfRange(unread, position, position + (int) length));
                position += (int) length;
                keep(message);
            }
        } catch (final InvalidProtocolBufferException e) {
            throw new AssertionError("a broken frame", e);
        }
        unread = Arrays.copyOfRange(unread, position, unread.length);
    }

    private void keep(final VSockMessage message) {
        final long cookie = switch (message.getCommandCase()) {
            case PREAD_RESPONSE -> message.getPreadResponse().getCookie();
            case PWRITE_RESPONSE -> message.getPwriteResponse().getCookie();
            case FSTAT_RESPONSE -> message.getFstatResponse().getCookie();
            case FTRUNCATE_RESPONSE -> message.getFtruncateResponse().getCookie();
            default -> throw new AssertionError("an answer to nothing: " + message);
        };
        if (answers.put(cookie, message) != null) {
            throw new AssertionError("a second answer to " + cookie);
        }
        order.add(cookie);
    }
}
