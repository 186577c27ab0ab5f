/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.it;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.protobuf.ByteString;
import io.vsockproxy.posix.Errno;
import io.vsockproxy.proto.PreadRequest;
import io.vsockproxy.proto.PreadResponse;
import io.vsockproxy.proto.VSockMessage;
import io.vsockproxy.testing.Background;
import io.vsockproxy.testing.Endpoint;
import io.vsockproxy.testing.FileCalls;
import io.vsockproxy.testing.Messages;
import io.vsockproxy.testing.MountedGuest;
import io.vsockproxy.testing.Mounts;
import io.vsockproxy.testing.Pattern;
import io.vsockproxy.testing.RawPeer;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * Answers to reads that are large enough to be spliced from the link to the kernel, from an owner that may send
 * anything.
 */
@Timeout(value = 60, unit = TimeUnit.SECONDS)
class LargeReadsTest {
    private static final long FILE = 2;
    private static final int LENGTH = 128 << 10;
    /** More pieces than a pipe of a mebibyte has places. */
    private static final int TINY = 100;

    @TempDir
    Path directory;
    private final byte[] content = Pattern.bytes(7, 8 * LENGTH);
    private MountedGuest guest;
    private RawPeer owner;
    private Endpoint application;
    private Endpoint file;

    @BeforeEach
    void passAFile() throws IOException {
        Mounts.assumeMountable();
        guest = new MountedGuest(directory);
        owner = guest.owner();
        application = guest.application();
        file = guest.passAndReceive(FILE, content.length);
        // After a large answer, the proxy expects another one.
        final CompletableFuture<byte[]> first = read(0);
        owner.send(answer(request()));
        assertArrayEquals(Arrays.copyOf(content, LENGTH), Background.join(first));
    }

    @AfterEach
    void end() {
        if (file != null) {
            file.close();
            guest.close();
        }
    }

    @Test
    void shouldReadAnAnswerThatComesAtOnce() {
        for (int i = 1; i < 8; i++) {
            final CompletableFuture<byte[]> reading = read(i * LENGTH);
            owner.send(answer(request()));
            assertRead(i * LENGTH, reading);
        }
    }

    @Test
    void shouldReadAnAnswerThatComesInMorePiecesThanAPipeTakes() {
        for (int i = 1; i < 4; i++) {
            final CompletableFuture<byte[]> reading = read(i * LENGTH);
            final byte[] frame = answer(request());
            for (int sent = 0; sent < frame.length; sent += TINY) {
                owner.send(Arrays.copyOfRange(frame, sent, Math.min(frame.length, sent + TINY)));
            }
            assertRead(i * LENGTH, reading);
        }
    }

    @Test
    void shouldReadAnAnswerWhoseHeaderComesInTwoPieces() {
        for (int cut = 1; cut < 40; cut++) {
            final CompletableFuture<byte[]> reading = read(LENGTH);
            final byte[] frame = answer(request());
            owner.send(Arrays.copyOf(frame, cut));
            owner.link().awaitTaken();
            owner.send(Arrays.copyOfRange(frame, cut, frame.length));
            assertRead(LENGTH, reading);
        }
    }

    @Test
    void shouldDeliverOtherFramesBetweenLargeAnswers() {
        for (int i = 1; i < 8; i++) {
            final CompletableFuture<byte[]> reading = read(i * LENGTH);
            final byte[] frame = answer(request());
            owner.send(RawPeer.frame(Messages.data(1, "before")));
            owner.send(frame);
            owner.send(RawPeer.frame(Messages.data(1, "after")));
            assertRead(i * LENGTH, reading);
            assertEquals("beforeafter", application.readText(11));
        }
    }

    @Test
    void shouldFailAReadWithAnIncompleteAnswerWhenTheOwnerIsGone() {
        final CompletableFuture<Integer> reading =
            Background.start(() -> FileCalls.read(file, LENGTH, new byte[LENGTH]));
        owner.send(Arrays.copyOf(answer(request()), LENGTH / 2));
        owner.close();
        assertEquals(-Errno.EIO, Background.join(reading));
    }

    @Test
    void shouldRefuseAnAnswerLongerThanWhatWasAskedFor() {
        final CompletableFuture<Integer> reading =
            Background.start(() -> FileCalls.read(file, 0, new byte[LENGTH / 2]));
        final PreadRequest request = request();
        owner.send(answer(request.getCookie(), Arrays.copyOf(content, LENGTH)));
        assertEquals(-Errno.EIO, Background.join(reading));
        final CompletableFuture<byte[]> next = read(0);
        owner.send(answer(request()));
        assertRead(0, next);
    }

    private CompletableFuture<byte[]> read(final int offset) {
        return Background.start(() -> FileCalls.read(file, offset, LENGTH));
    }

    private PreadRequest request() {
        final VSockMessage message = owner.receive();
        assertTrue(message.hasPreadRequest(), message::toString);
        assertEquals(FILE, message.getPreadRequest().getHandle());
        return message.getPreadRequest();
    }

    private byte[] answer(final PreadRequest request) {
        final int offset = (int) request.getOffset();
        return answer(request.getCookie(), Arrays.copyOfRange(content, offset, offset + (int) request.getCount()));
    }

    private static byte[] answer(final long cookie, final byte[] bytes) {
        return RawPeer.frame(VSockMessage.newBuilder()
            .setPreadResponse(PreadResponse.newBuilder().setCookie(cookie).setBlob(ByteString.copyFrom(bytes)))
            .build());
    }

    private void assertRead(final int offset, final CompletableFuture<byte[]> reading) {
        assertArrayEquals(Arrays.copyOfRange(content, offset, offset + LENGTH), Background.join(reading));
    }
}
