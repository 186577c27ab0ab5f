/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.extension;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import io.vsockproxy.posix.Descriptors;
import io.vsockproxy.posix.Errno;
import io.vsockproxy.proto.Close.Notice;
import io.vsockproxy.proto.FileDescriptor;
import io.vsockproxy.testing.Await;
import io.vsockproxy.testing.Background;
import io.vsockproxy.testing.Endpoint;
import io.vsockproxy.testing.FileCalls;
import io.vsockproxy.testing.Messages;
import io.vsockproxy.testing.MountedGuest;
import io.vsockproxy.testing.Mounts;
import io.vsockproxy.testing.NoticePeer;
import io.vsockproxy.testing.Pattern;
import io.vsockproxy.testing.Received;
import io.vsockproxy.testing.RunningHost;
import io.vsockproxy.testing.RunningHost.Connection;
import java.io.IOException;
import java.nio.file.Path;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Descriptors that a peer sends without bytes, after bytes that wait for their reader and before the end.
 */
@Timeout(value = 60, unit = TimeUnit.SECONDS)
class DescriptorsWithoutBytesTest {
    /** More than a socket holds, and less than a queue may. */
    private static final int SOME = 1_500_000;

    private static final long FILE = 5;

    @TempDir
    private Path directory;

    @RegisterExtension
    static final RunningHost HOST = new RunningHost();

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void shouldNotHoldUpTheEnd(final boolean halfCloses) {
        final NoticePeer guest = HOST.closing(new NoticePeer(Endpoint.connect(HOST.link())));
        guest.send(NoticePeer.greeting(SOME));
        guest.send(Messages.connectRequest(-1, HOST.targetPath().toString()));
        final Endpoint application = HOST.closing(HOST.target().accept());
        final long handle = guest.receive().getConnectResponse().getHandle();
        final Connection connection = new Connection(handle, application);
        final int before = Descriptors.count();
        final byte[] some = Pattern.bytes(1, SOME);
        guest.send(Messages.data(handle, some));
        // A socket, whose other end stays here, and a descriptor that the link itself carries.
        guest.send(Messages.data(handle, "", Messages.descriptor(FileDescriptor.Type.SOCKET_STREAM, -1)));
        guest.send(halfCloses ? NoticePeer.notice(Notice.HALF_CLOSE, handle, 0) : Messages.close(handle));
        guest.link().awaitTaken();
        assertArrayEquals(some, connection.application().readToEnd());
        Await.untilEqual(before - (halfCloses ? 0 : 1), Descriptors::count, "descriptors");
        if (halfCloses) {
            application.send("the other direction goes on");
            guest.next(message -> message.getData().getBlob().toStringUtf8().equals("the other direction goes on"),
                "what it sends");
        }
        guest.send(Messages.close(handle));
        application.awaitHangUp();
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void shouldKeepTheirPlaceInFrontOfAFile(final boolean isBehindBytes) throws IOException {
        Mounts.assumeMountable();
        try (MountedGuest guest = new MountedGuest(directory); Endpoint pipe = readEnd()) {
            final byte[] some = Pattern.bytes(2, isBehindBytes ? SOME : 0);
            if (isBehindBytes) {
                guest.owner().send(Messages.data(1, some));
            }
            guest.owner().send(
                Messages.data(1, "", Messages.descriptor(FileDescriptor.Type.TRANSPORTABLE, 0)), pipe);
            guest.pass("f", FILE);
            final CompletableFuture<Void> answering = Background.start(() -> {
                guest.answerAttributes(100);
                return null;
            });
            assertArrayEquals(some, guest.application().readFully(some.length));
            final Received received = guest.application().receive();
            Background.join(answering);
            try {
                assertEquals("f", received.text());
                assertEquals(2, received.descriptors().size());
                // Only the file has a position.
                assertEquals(-Errno.ESPIPE, FileCalls.seek(received.descriptors().get(0), 0, FileCalls.SEEK_CUR));
                assertEquals(0, FileCalls.seek(received.descriptors().get(1), 0, FileCalls.SEEK_CUR));
            } finally {
                received.descriptors().forEach(Endpoint::close);
            }
        }
    }

    private static Endpoint readEnd() {
        final Endpoint[] pipe = Endpoint.pipe();
        pipe[1].close();
        return pipe[0];
    }
}
