/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.it;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import io.vsockproxy.testing.Background;
import io.vsockproxy.testing.Endpoint;
import io.vsockproxy.testing.FileCalls;
import io.vsockproxy.testing.Messages;
import io.vsockproxy.testing.MountedGuest;
import io.vsockproxy.testing.Mounts;
import io.vsockproxy.testing.Pattern;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * A peer without flow control that passes a file and goes on sending before it tells the file's size: more than may
 * wait for a stream, so that the proxy stops reading the link, and the size is behind that data.
 */
@Timeout(value = 60, unit = TimeUnit.SECONDS)
class FileBeforeDataTest {
    private static final long FILE = 2;
    private static final long SIZE = 12_345;
    private static final int QUEUE_LENGTH = 64 << 10;
    private static final int PIECE_LENGTH = 16 << 10;

    @TempDir
    Path directory;

    @Test
    void shouldDeliverAFileAndMoreThanMayWaitBehindIt() throws IOException {
        Mounts.assumeMountable();
        try (MountedGuest guest = new MountedGuest(
            directory, "--stream-queue", String.valueOf(QUEUE_LENGTH), "--stall-timeout", "30")) {
            final byte[] content = Pattern.bytes(11, 3 * QUEUE_LENGTH);
            final CompletableFuture<Void> sending = Background.start(() -> {
                guest.pass("f", FILE);
                for (int sent = 0; sent < content.length; sent += PIECE_LENGTH) {
                    guest.owner().send(Messages.data(1, Arrays.copyOfRange(content, sent, sent + PIECE_LENGTH)));
                }
                guest.answerAttributes(SIZE);
                return null;
            });
            try (Endpoint file = guest.application().receive(1).only()) {
                assertArrayEquals(content, guest.application().readFully(content.length));
                Background.join(sending);
                final CompletableFuture<Long> size = Background.start(() -> FileCalls.size(file));
                guest.answerAttributes(SIZE);
                assertEquals(SIZE, Background.join(size));
            }
        }
    }
}
