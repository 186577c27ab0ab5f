/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.it;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

import com.google.protobuf.ByteString;
import io.vsockproxy.LinkAddress;
import io.vsockproxy.posix.Constants;
import io.vsockproxy.posix.Errno;
import io.vsockproxy.proto.FileDescriptor;
import io.vsockproxy.proto.FstatResponse;
import io.vsockproxy.proto.PreadRequest;
import io.vsockproxy.proto.PreadResponse;
import io.vsockproxy.proto.VSockMessage;
import io.vsockproxy.testing.Await;
import io.vsockproxy.testing.Background;
import io.vsockproxy.testing.Endpoint;
import io.vsockproxy.testing.FileCalls;
import io.vsockproxy.testing.Messages;
import io.vsockproxy.testing.Mounts;
import io.vsockproxy.testing.ProxyProcess;
import io.vsockproxy.testing.RawPeer;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Files of two guests on one mount. */
@Timeout(value = 60, unit = TimeUnit.SECONDS)
class FileIsolationTest {
    /** More than the mount keeps whole, with what fits into the link's buffers. */
    private static final int WRITERS = 80;

    @TempDir
    Path directory;
    private Endpoint target;
    private ProxyProcess host;
    private Guest stuck;
    private Guest other;

    /** A guest, and the host's application that it is connected to. */
    private record Guest(RawPeer peer, long stream, Endpoint application) {
        void close() {
            peer.close();
            application.close();
        }

        /** What the application has of a file that the guest passes. */
        Endpoint pass() {
            peer.send(Messages.data(stream, "x", FileDescriptor.newBuilder()
                .setType(FileDescriptor.Type.REGULAR_FILE).setHandle(-100).setFlags(Constants.O_RDWR).build()));
            final CompletableFuture<Endpoint> received = Background.start(() -> application.receive().only());
            peer.send(VSockMessage.newBuilder().setFstatResponse(FstatResponse.newBuilder()
                .setCookie(peer.receive().getFstatRequest().getCookie()).setSize(1 << 20)).build());
            return Background.join(received);
        }
    }

    @BeforeAll
    static void needsAMount() throws IOException {
        Mounts.assumeMountable();
    }

    @BeforeEach
    void start() throws IOException {
        final Path service = directory.resolve("service");
        target = Endpoint.listen(service);
        host = ProxyProcess.start("host", "--listen", "unix:" + directory.resolve("link"), "--allow-connect",
            service.toString(), "--files", directory.resolve("files").toString()).awaitReady();
        stuck = guest();
        other = guest();
    }

    @AfterEach
    void end() {
        stuck.close();
        other.close();
        target.close();
        host.signal("TERM");
        host.awaitExit();
        host.close();
    }

    @Test
    void shouldServeAGuestsFileWhileManyWritersWaitForAnotherGuestsFullLink() {
        try (Endpoint stuckFile = stuck.pass(); Endpoint otherFile = other.pass()) {
            final List<CompletableFuture<Integer>> writes = new ArrayList<>();
            for (int i = 0; i < WRITERS; i++) {
                writes.add(Background.start(() -> FileCalls.write(stuckFile, 0, new byte[FileCalls.MAX_LENGTH])));
            }
            awaitAsleep(WRITERS);

            final CompletableFuture<byte[]> read = Background.start(() -> FileCalls.read(otherFile, 5, 10));
            final PreadRequest asked = other.peer().receive().getPreadRequest();
            assertEquals(5, asked.getOffset());
            other.peer().send(VSockMessage.newBuilder().setPreadResponse(PreadResponse.newBuilder()
                .setCookie(asked.getCookie()).setBlob(ByteString.copyFrom(new byte[10]))).build());
            assertEquals(10, Background.join(read).length);

            writes.forEach(write -> assertFalse(write.isDone(), "a write that nobody has taken is over"));
            stuck.peer().close();
            writes.forEach(write -> assertEquals(-Errno.EIO, Background.join(write)));
        }
    }

    /** Until {@code count} threads are inside a call that is asked of the mount: what is asked next is behind those. */
    private static void awaitAsleep(final int count) {
        Await.until(
            () -> threadsAskingTheMount() >= count, () -> threadsAskingTheMount() + " of " + count + " writers");
    }

    private static long threadsAskingTheMount() {
        try (Stream<Path> threads = Files.list(Path.of("/proc/self/task"))) {
            return threads.filter(FileIsolationTest::isAsking).count();
        } catch (final IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static boolean isAsking(final Path thread) {
        try {
            return Files.readString(thread.resolve("wchan")).contains("request_wait_answer");
        } catch (final IOException e) {
            // It has ended meanwhile.
            return false;
        }
    }

    private Guest guest() {
        final RawPeer peer = RawPeer.guestOf(LinkAddress.unix(directory.resolve("link").toString()));
        peer.send(Messages.connectRequest(-1, directory.resolve("service").toString()));
        final long stream = peer.receive().getConnectResponse().getHandle();
        return new Guest(peer, stream, target.accept());
    }
}
