/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.it;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.protobuf.ByteString;
import io.vsockproxy.fuse.MappingProcess;
import io.vsockproxy.posix.Constants;
import io.vsockproxy.posix.Errno;
import io.vsockproxy.proto.FstatResponse;
import io.vsockproxy.proto.PreadRequest;
import io.vsockproxy.proto.PreadResponse;
import io.vsockproxy.proto.PwriteRequest;
import io.vsockproxy.proto.PwriteResponse;
import io.vsockproxy.proto.VSockMessage;
import io.vsockproxy.testing.Background;
import io.vsockproxy.testing.ChildJvm;
import io.vsockproxy.testing.Endpoint;
import io.vsockproxy.testing.FileCalls;
import io.vsockproxy.testing.MountedGuest;
import io.vsockproxy.testing.Mounts;
import io.vsockproxy.testing.RawPeer;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.function.Supplier;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * What an application has stored in a shared mapping of a received file, when the owner refuses it for now, or takes
 * only a part of it. The kernel would forget the pages, and tell nobody.
 */
@Timeout(value = 60, unit = TimeUnit.SECONDS)
class WriteBackTest {
    private static final int LENGTH = 6 << 20;
    private static final byte STORED = 42;

    @TempDir
    private Path directory;
    private final long seed = System.nanoTime();
    private final Random random = new Random(seed);
    private final byte[] content = new byte[LENGTH];
    private ChildJvm application;
    private MountedGuest guest;
    private RawPeer owner;
    private Endpoint file;
    private long fd;

    @BeforeEach
    void startApplication() throws IOException {
        Mounts.assumeMountable();
        System.out.println("seed " + seed);
        application = ChildJvm.start(MappingProcess.class);
    }

    @AfterEach
    void end() {
        if (guest != null) {
            guest.close();
            application.close();
            file.close();
        }
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void shouldSendAgainWhatTheOwnerRefusesForNowAndTheRestOfWhatItCuts(final boolean greets) throws IOException {
        passTheFile(greets);
        final CompletableFuture<Long> synchronising = storeAndSynchronise();
        serveUntilSynchronised(owner.receive(), this::answerWrite);
        assertEquals(0, Background.join(synchronising));
    }

    @Test
    void shouldNotGoOnAskingAnOwnerThatRefusesEverything() throws Exception {
        passTheFile(true);
        final CompletableFuture<Long> synchronising = storeAndSynchronise();
        // Until the first refusal as much is under way as the window allows; then one at a time, ever more rarely.
        final long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(2);
        int refused = 0;
        boolean first = true;
        long lengthAfterFirst = 0;
        VSockMessage message = owner.receive();
        while (System.nanoTime() - deadline < 0) {
            if (message.hasPwriteRequest()) {
                final PwriteRequest request = message.getPwriteRequest();
                owner.send(response(request, Errno.EAGAIN, 0));
                lengthAfterFirst += first ? 0 : request.getBlob().size();
                first = false;
                refused++;
            } else {
                answer(message);
            }
            message = owner.receive();
        }
        assertTrue(refused > 2, "refused=" + refused);
        // 10 ms, 20 ms, ... 640 ms: fewer than ten times a MiB.
        assertTrue(lengthAfterFirst < LENGTH + (10 << 20), "refused=" + refused + ", bytes=" + lengthAfterFirst);
        assertFalse(synchronising.isDone());
        serveUntilSynchronised(message, request -> take(request, request.getBlob().size()));
        assertEquals(0, Background.join(synchronising));
    }

    @Test
    void shouldTellTheErrorThatFollowsAShortCount() throws IOException {
        passTheFile(true);
        final CompletableFuture<Long> synchronising = storeAndSynchronise();
        int answered = 0;
        while (answered < LENGTH) {
            final VSockMessage message = owner.receive();
            if (!message.hasPwriteRequest()) {
                answer(message);
            } else if (answered == 0) {
                answered = 4096;
                take(message.getPwriteRequest(), answered);
            } else {
                answered += message.getPwriteRequest().getBlob().size();
                owner.send(response(message.getPwriteRequest(), Errno.ENOSPC, 0));
            }
        }
        assertEquals(-Errno.ENOSPC, Background.join(synchronising));
    }

    @Test
    void shouldFailWhatWaitsWhenTheSessionEnds() throws IOException {
        passTheFile(true);
        final CompletableFuture<Long> synchronising = storeAndSynchronise();
        final List<PwriteRequest> refused = new ArrayList<>();
        while (refused.size() < 3) {
            final VSockMessage message = owner.receive();
            if (message.hasPwriteRequest()) {
                refused.add(message.getPwriteRequest());
            } else {
                answer(message);
            }
        }
        refused.forEach(request -> owner.send(response(request, Errno.EAGAIN, 0)));
        assertFalse(synchronising.isDone());
        owner.close();
        assertEquals(-Errno.EIO, Background.join(synchronising));
    }

    @Test
    void shouldCarryAnApplicationsOwnWriteWhileWriteBacksWait() throws IOException {
        passTheFile(true);
        final CompletableFuture<Long> synchronising = storeAndSynchronise();
        final ArrayDeque<PwriteRequest> waiting = new ArrayDeque<>();
        while (waiting.isEmpty()) {
            final VSockMessage message = owner.receive();
            if (message.hasPwriteRequest()) {
                waiting.add(message.getPwriteRequest());
            } else {
                answer(message);
            }
        }
        owner.send(response(waiting.remove(), Errno.EAGAIN, 0));
        final byte[] own = {1, 2, 3};
        try (Endpoint other = receiveFile(3)) {
            final CompletableFuture<Integer> writing = Background.start(() -> FileCalls.write(other, 5, own));
            while (!writing.isDone()) {
                final VSockMessage message = owner.receive();
                if (!message.hasPwriteRequest()) {
                    answer(message);
                } else if (message.getPwriteRequest().getHandle() == 3) {
                    assertEquals(ByteString.copyFrom(own), message.getPwriteRequest().getBlob());
                    owner.send(response(message.getPwriteRequest(), 0, own.length));
                    assertEquals(own.length, Background.join(writing));
                } else {
                    waiting.add(message.getPwriteRequest());
                }
            }
            assertFalse(synchronising.isDone());
        }
        owner.close();
        assertEquals(-Errno.EIO, Background.join(synchronising));
    }

    private void passTheFile(final boolean greets) throws IOException {
        guest = greets ? MountedGuest.greeted(directory) : new MountedGuest(directory);
        owner = guest.owner();
        file = guest.passAndReceive(2, LENGTH);
        fd = tell("open", "/proc/" + ProcessHandle.current().pid() + "/fd/" + file.fd(), Constants.O_RDWR).get();
    }

    /** Passes another file, and answers whatever is asked meanwhile; write-backs wait. */
    private Endpoint receiveFile(final long handle) {
        guest.pass("another", handle);
        final CompletableFuture<Endpoint> receiving =
            Background.start(() -> guest.application().receive().only());
        while (true) {
            final VSockMessage message = owner.receive();
            answer(message);
            if (message.hasFstatRequest() && message.getFstatRequest().getHandle() == handle) {
                return Background.join(receiving);
            }
        }
    }

    /** What fsync returns once everything has been stored. */
    private CompletableFuture<Long> storeAndSynchronise() {
        return Background.start(() -> {
            final long address = tell(
                "map", fd, LENGTH, Constants.PROT_READ | Constants.PROT_WRITE, Constants.MAP_SHARED).get();
            assertTrue(address > 0, () -> FileCalls.describe(address));
            assertEquals(LENGTH, tell("fill", address, LENGTH, STORED).get());
            final long result = tell("sync", fd).get();
            assertEquals(0, tell("unmap", address, LENGTH).get());
            return result;
        });
    }

    private Supplier<Long> tell(final Object... words) {
        application.tell(String.join(" ", Arrays.stream(words).map(Object::toString).toList()));
        return () -> Long.parseLong(application.answer());
    }

    /** Answers {@code first} and what follows, until everything is stored and a synchronisation has been answered. */
    private void serveUntilSynchronised(final VSockMessage first, final Consumer<PwriteRequest> writes) {
        VSockMessage message = first;
        while (!isAll(content, STORED) || !message.hasFstatRequest()) {
            if (message.hasPwriteRequest()) {
                writes.accept(message.getPwriteRequest());
            } else {
                answer(message);
            }
            message = owner.receive();
        }
        answer(message);
    }

    private void answerWrite(final PwriteRequest request) {
        switch (random.nextInt(4)) {
            case 0 -> owner.send(response(request, Errno.EAGAIN, 0));
            case 1 -> take(request, 0);
            case 2 -> take(request, random.nextInt(request.getBlob().size()));
            default -> take(request, request.getBlob().size());
        }
    }

    private void take(final PwriteRequest request, final int length) {
        request.getBlob().substring(0, length).copyTo(content, (int) request.getOffset());
        owner.send(response(request, 0, length));
    }

    /** Answers anything but a write. */
    private void answer(final VSockMessage message) {
        if (message.hasPreadRequest()) {
            final PreadRequest request = message.getPreadRequest();
            final int length = (int) Math.max(0, Math.min(request.getCount(), LENGTH - request.getOffset()));
            owner.send(VSockMessage.newBuilder().setPreadResponse(PreadResponse.newBuilder()
                .setCookie(request.getCookie())
                .setBlob(ByteString.copyFrom(content, (int) request.getOffset(), length))).build());
        } else if (message.hasFstatRequest()) {
            owner.send(VSockMessage.newBuilder().setFstatResponse(FstatResponse.newBuilder()
                .setCookie(message.getFstatRequest().getCookie()).setSize(LENGTH)).build());
        }
    }

    private static boolean isAll(final byte[] bytes, final byte value) {
        for (final byte b : bytes) {
            if (b != value) {
                return false;
            }
        }
        return true;
    }

    private static VSockMessage response(final PwriteRequest request, final int errno, final long written) {
        return VSockMessage.newBuilder().setPwriteResponse(PwriteResponse.newBuilder()
            .setCookie(request.getCookie()).setErrorCode(errno).setBytesWritten(written)).build();
    }
}
