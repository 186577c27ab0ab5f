/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.it;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.vsockproxy.posix.Errno;
import io.vsockproxy.proto.PreadResponse;
import io.vsockproxy.proto.PwriteResponse;
import io.vsockproxy.proto.VSockMessage;
import io.vsockproxy.testing.Background;
import io.vsockproxy.testing.Endpoint;
import io.vsockproxy.testing.FileCalls;
import io.vsockproxy.testing.MountedGuest;
import io.vsockproxy.testing.Mounts;
import io.vsockproxy.testing.RawPeer;
import java.io.IOException;
import java.nio.file.Path;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * What an application gets when the owner sends an impossible answer to its request about a file.
 */
@Timeout(value = 60, unit = TimeUnit.SECONDS)
class BadAnswersTest {
    private static final int LENGTH = 10;

    @TempDir
    Path directory;
    private MountedGuest guest;
    private RawPeer owner;
    private Endpoint file;

    @BeforeEach
    void passAFile() throws IOException {
        Mounts.assumeMountable();
        guest = new MountedGuest(directory);
        owner = guest.owner();
        file = guest.passAndReceive(2, LENGTH);
    }

    @AfterEach
    void end() {
        if (file != null) {
            file.close();
            guest.close();
        }
    }

    /** The kernel leaves a request open that is answered with one from 512 on. */
    @ParameterizedTest
    @ValueSource(ints = {512, 4096, Integer.MAX_VALUE, -5, Integer.MIN_VALUE})
    void shouldFailAReadThatIsAnsweredWithAnInvalidError(final int error) {
        final CompletableFuture<Integer> reading = Background.start(() -> FileCalls.read(file, 0, new byte[LENGTH]));
        final VSockMessage message = owner.receive();
        assertTrue(message.hasPreadRequest(), message::toString);
        owner.send(VSockMessage.newBuilder().setPreadResponse(PreadResponse.newBuilder()
            .setCookie(message.getPreadRequest().getCookie()).setErrorCode(error)).build());
        assertEquals(-Errno.EIO, Background.join(reading));
    }

    @ParameterizedTest
    @ValueSource(longs = {LENGTH + 1, Long.MAX_VALUE, -1, Long.MIN_VALUE})
    void shouldFailAWriteThatIsAnsweredWithMoreBytesThanItHad(final long written) {
        final CompletableFuture<Integer> writing = Background.start(() -> FileCalls.write(file, 0, new byte[LENGTH]));
        final VSockMessage message = owner.receive();
        assertTrue(message.hasPwriteRequest(), message::toString);
        owner.send(VSockMessage.newBuilder().setPwriteResponse(PwriteResponse.newBuilder()
            .setCookie(message.getPwriteRequest().getCookie()).setBytesWritten(written)).build());
        assertEquals(-Errno.EIO, Background.join(writing));
    }
}
