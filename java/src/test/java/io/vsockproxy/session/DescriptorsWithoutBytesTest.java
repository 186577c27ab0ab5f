/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.session;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.vsockproxy.posix.Constants;
import io.vsockproxy.posix.Descriptors;
import io.vsockproxy.proto.Close.Notice;
import io.vsockproxy.proto.FileDescriptor;
import io.vsockproxy.testing.Endpoint;
import io.vsockproxy.testing.Messages;
import io.vsockproxy.testing.NoticePeer;
import io.vsockproxy.testing.Received;
import java.io.IOException;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * Descriptors for a stream socket that come without a byte, and what becomes of them.
 */
@Timeout(value = 60, unit = TimeUnit.SECONDS)
class DescriptorsWithoutBytesTest {
    private static final int WINDOW = 64 << 10;
    private static final FileDescriptor ENTRY = Messages.descriptor(FileDescriptor.Type.TRANSPORTABLE, 0);

    private FuzzedProxy proxy;
    private int descriptorsBefore;
    private Session session;
    private NoticePeer peer;
    private Endpoint application;
    private long handle;
    private Endpoint[] pipe;

    @BeforeEach
    void connect() throws IOException {
        proxy = new FuzzedProxy(false);
        descriptorsBefore = Descriptors.count();
        final Endpoint[] pair = Endpoint.socketPair(Constants.SOCK_STREAM);
        session = proxy.session(pair[0], true, true, true);
        peer = new NoticePeer(pair[1]);
        session.start();
        peer.send(NoticePeer.greeting(WINDOW), Messages.connectRequest(-1, proxy.targetPath().toString()));
        proxy.turnUntil(proxy.target::isReadable, () -> "the connection");
        application = proxy.target.accept();
        proxy.turnUntilIdle();
        handle = peer.receive().getConnectResponse().getHandle();
        pipe = Endpoint.pipe();
    }

    @AfterEach
    void close() throws InterruptedException {
        session.close();
        peer.close();
        application.close();
        Endpoint.closeAll(pipe);
        proxy.turnUntilIdle();
        Descriptors.assertCount(descriptorsBefore);
        proxy.close();
        assertEquals(List.of(), proxy.faults);
    }

    @Test
    void shouldCountUntilAByteCarriesThem() {
        for (int i = 0; i < 2; i++) {
            peer.sendWith(Messages.data(handle, "", ENTRY, ENTRY, ENTRY), pipe[0], pipe[0], pipe[0]);
            proxy.turnUntilIdle();
            assertEquals(3 + 3 * i, session.queuedDescriptors());
        }
        peer.send(Messages.data(handle, "a byte and more"));
        proxy.turnUntilIdle();
        final Received received = application.receive();
        assertEquals("a byte and more", received.text());
        assertEquals(6, received.descriptors().size());
        received.descriptors().forEach(Endpoint::close);
        assertEquals(0, session.queuedDescriptors());
        assertEquals(0, session.queuedBytes());
    }

    @Test
    void shouldComeBeforeThoseOfTheByteThatCarriesThem() {
        final Endpoint event = Endpoint.eventfd(7);
        peer.sendWith(Messages.data(handle, "", ENTRY), pipe[0]);
        peer.sendWith(Messages.data(handle, "x", ENTRY), event);
        event.close();
        proxy.turnUntilIdle();
        final List<Endpoint> descriptors = application.receive().descriptors();
        assertEquals(2, descriptors.size());
        pipe[1].write(new byte[] {1, 2, 3});
        assertEquals(3, descriptors.get(0).readFully(3).length);
        descriptors.forEach(Endpoint::close);
    }

    @Test
    void shouldNotComeInUnlimitedNumbers() {
        // As many as may be queued for a stream with the low limits here, and then some.
        for (int i = 0; i < 4; i++) {
            peer.sendWith(Messages.data(handle, "", ENTRY, ENTRY, ENTRY, ENTRY, ENTRY, ENTRY),
                pipe[0], pipe[0], pipe[0], pipe[0], pipe[0], pipe[0]);
            proxy.turnUntilIdle();
        }
        assertTrue(session.isBlocked());
        assertEquals(12, session.queuedDescriptors());
    }

    @Test
    void shouldBeClosedOnceNoByteCanFollow() {
        sendReadEnd();
        peer.send(NoticePeer.notice(Notice.HALF_CLOSE, handle, 0));
        proxy.turnUntilIdle();
        application.expectEnd();
        assertTrue(isReadEndClosed());
        application.send("the other direction goes on");
        proxy.turnUntilIdle();
        assertEquals(1, session.handleCount());
        assertEquals(0, session.queuedDescriptors());
    }

    @Test
    void shouldBeClosedWithTheirStream() {
        sendReadEnd();
        peer.send(Messages.close(handle));
        proxy.turnUntilIdle();
        application.expectEnd();
        assertTrue(isReadEndClosed());
        assertTrue(session.queuedBytes() == 0 && session.queuedDescriptors() == 0);
    }

    @Test
    void shouldBeClosedWhenTheApplicationHasGoneThoughWhatItHasSentWaitsForCredit() {
        sendReadEnd();
        application.send(new byte[WINDOW + 1]);
        application.close();
        proxy.turnUntilIdle();
        assertEquals(1, session.handleCount());
        assertTrue(isReadEndClosed());
        assertEquals(0, session.queuedDescriptors());
    }

    private void sendReadEnd() {
        peer.sendWith(Messages.data(handle, "", ENTRY), pipe[0]);
        proxy.turnUntilIdle();
        pipe[0].close();
        assertFalse(isReadEndClosed());
    }

    private boolean isReadEndClosed() {
        return (pipe[1].poll(0, 0) & Constants.EPOLLERR) != 0;
    }
}
