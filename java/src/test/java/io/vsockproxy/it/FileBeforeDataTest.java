/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.it;

import static io.vsockproxy.proto.FileDescriptor.Type.REGULAR_FILE;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.vsockproxy.LinkAddress;
import io.vsockproxy.proto.FileDescriptor;
import io.vsockproxy.proto.FstatResponse;
import io.vsockproxy.proto.VSockMessage;
import io.vsockproxy.testing.Background;
import io.vsockproxy.testing.Endpoint;
import io.vsockproxy.testing.FileCalls;
import io.vsockproxy.testing.Messages;
import io.vsockproxy.testing.Mounts;
import io.vsockproxy.testing.Pattern;
import io.vsockproxy.testing.ProxyProcess;
import io.vsockproxy.testing.RawPeer;
import io.vsockproxy.testing.Received;
import io.vsockproxy.testing.TestLink;
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
 * A peer without flow control that passes a file and goes on sending, before it says how long the file is: more than
 * may wait for a stream, so that the link is not read, and what it says of the file is behind that.
 */
@Timeout(value = 60, unit = TimeUnit.SECONDS)
class FileBeforeDataTest {
    private static final long FILE = 2;
    private static final long SIZE = 12_345;
    private static final int QUEUE_LENGTH = 64 << 10;
    private static final int PIECE_LENGTH = 16 << 10;

    @TempDir
    Path directory;
    private Endpoint listening;
    private ProxyProcess guest;
    private RawPeer owner;
    private Endpoint application;

    @BeforeEach
    void connect() throws IOException {
        Mounts.assumeMountable();
        final LinkAddress link = TestLink.in(directory);
        listening = Endpoint.listen(link);
        guest = ProxyProcess.start("guest", "--connect", link.toString(), "--forward",
            directory.resolve("forward") + "=/remote", "--files", directory.resolve("files").toString(),
            "--stream-queue", String.valueOf(QUEUE_LENGTH), "--stall-timeout", "30");
        owner = RawPeer.hostOf(listening);
        guest.awaitReady();
        application = Endpoint.connect(directory.resolve("forward"));
        owner.send(Messages.connectResponse(owner.receive().getConnectRequest().getCookie(), 0, 1));
    }

    @AfterEach
    void end() {
        if (application != null) {
            application.close();
            guest.signal("TERM");
            guest.awaitExit();
            guest.close();
            owner.close();
            listening.close();
        }
    }

    @Test
    void shouldDeliverAFileAndMoreThanMayWaitBehindIt() {
        final byte[] content = Pattern.bytes(11, 3 * QUEUE_LENGTH);
        final CompletableFuture<Void> sending = Background.start(() -> {
            owner.send(Messages.data(1, "f", FileDescriptor.newBuilder()
                .setType(REGULAR_FILE).setHandle(FILE).build()));
            for (int sent = 0; sent < content.length; sent += PIECE_LENGTH) {
                owner.send(Messages.data(1, Arrays.copyOfRange(content, sent, sent + PIECE_LENGTH)));
            }
            answerAttributes();
            return null;
        });
        final Received received = application.receive(1);
        try (Endpoint file = received.only()) {
            assertArrayEquals(content, application.readFully(content.length));
            Background.join(sending);
            final CompletableFuture<Long> size = Background.start(() -> FileCalls.size(file));
            answerAttributes();
            assertEquals(SIZE, Background.join(size));
        }
    }

    private void answerAttributes() {
        final VSockMessage message = owner.receive();
        assertTrue(message.hasFstatRequest(), message::toString);
        owner.send(VSockMessage.newBuilder().setFstatResponse(FstatResponse.newBuilder()
            .setCookie(message.getFstatRequest().getCookie()).setSize(SIZE)).build());
    }
}
