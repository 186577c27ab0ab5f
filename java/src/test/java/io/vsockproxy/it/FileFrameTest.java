/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.it;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import com.google.protobuf.ByteString;
import io.vsockproxy.config.SessionLimits;
import io.vsockproxy.proto.PreadRequest;
import io.vsockproxy.proto.PreadResponse;
import io.vsockproxy.proto.VSockMessage;
import io.vsockproxy.testing.Background;
import io.vsockproxy.testing.Endpoint;
import io.vsockproxy.testing.FileCalls;
import io.vsockproxy.testing.MountedGuest;
import io.vsockproxy.testing.Mounts;
import io.vsockproxy.testing.Pattern;
import java.io.IOException;
import java.nio.file.Path;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** A proxy that takes no longer frames than it has to. */
@Timeout(value = 60, unit = TimeUnit.SECONDS)
class FileFrameTest {
    private static final long FILE = 2;

    @TempDir
    Path directory;

    @Test
    void shouldAcceptTheLongestAnswerToAReadWithTheSmallestFrameLimit() throws IOException {
        Mounts.assumeMountable();
        final byte[] content = Pattern.bytes(3, FileCalls.MAX_LENGTH);
        try (MountedGuest guest = new MountedGuest(
            directory, "--max-frame", Integer.toString(SessionLimits.MIN_FRAME_LENGTH))) {
            try (Endpoint file = guest.passAndReceive(FILE, content.length)) {
                final CompletableFuture<byte[]> read =
                    Background.start(() -> FileCalls.read(file, 0, content.length));
                final PreadRequest asked = guest.owner().receive().getPreadRequest();
                assertEquals(content.length, asked.getCount());
                guest.owner().send(VSockMessage.newBuilder().setPreadResponse(PreadResponse.newBuilder()
                    .setCookie(asked.getCookie()).setBlob(ByteString.copyFrom(content))).build());
                assertArrayEquals(content, Background.join(read));
            }
        }
    }
}
