/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.session;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.vsockproxy.posix.Constants;
import io.vsockproxy.proto.FileDescriptor;
import io.vsockproxy.proto.Close.Notice;
import io.vsockproxy.testing.Endpoint;
import io.vsockproxy.testing.Messages;
import io.vsockproxy.testing.Mounts;
import io.vsockproxy.testing.NoticePeer;
import java.io.IOException;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * A half-close behind descriptors that came without bytes, and of which the first waits for its owner's answer.
 */
@Timeout(value = 60, unit = TimeUnit.SECONDS)
class HalfCloseBehindDescriptorsTest {
    private static final int WINDOW = 64 << 10;

    @Test
    void shouldEndTheInputAndLeaveTheLoopNothingToDo() throws IOException {
        Mounts.assumeMountable();
        try (FuzzedProxy proxy = new FuzzedProxy(true)) {
            final Endpoint[] pair = Endpoint.socketPair(Constants.SOCK_STREAM);
            final Session session = proxy.session(pair[0], true, true, true);
            session.start();
            try (NoticePeer peer = new NoticePeer(pair[1])) {
                peer.send(NoticePeer.greeting(WINDOW), Messages.connectRequest(-1, proxy.targetPath().toString()));
                proxy.turnUntil(proxy.target::isReadable, () -> "the connection");
                try (Endpoint application = proxy.target.accept()) {
                    proxy.turnUntilIdle();
                    final long handle = peer.receive().getConnectResponse().getHandle();
                    // At once, so that all are handled in one turn.
                    peer.send(
                        Messages.data(handle, "", Messages.descriptor(FileDescriptor.Type.REGULAR_FILE, -2)),
                        Messages.data(handle, "", Messages.descriptor(FileDescriptor.Type.SOCKET_STREAM, -3)),
                        NoticePeer.notice(Notice.HALF_CLOSE, handle, 0));
                    proxy.turnUntil(application::isReadable, () -> "the end");
                    application.expectEnd();
                    proxy.turnUntilIdle();
                    application.send("the other direction goes on");
                    proxy.turnUntilIdle();
                    assertEquals("the other direction goes on", peer.next(
                        message -> message.getData().getBlob().size() > 0, "what it sends").getData().getBlob()
                        .toStringUtf8());
                    assertFalse(session.hasEnded());
                }
            }
            session.close();
            proxy.turnUntilIdle();
            assertTrue(proxy.faults.isEmpty(), proxy.faults::toString);
        }
    }
}
