/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.session;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.google.protobuf.ByteString;
import io.vsockproxy.posix.Constants;
import io.vsockproxy.posix.Errno;
import io.vsockproxy.posix.PosixException;
import io.vsockproxy.posix.SocketOptions;
import io.vsockproxy.posix.Syscalls;
import io.vsockproxy.proto.Close.Notice;
import io.vsockproxy.proto.VSockMessage;
import io.vsockproxy.testing.Endpoint;
import io.vsockproxy.testing.InetSockets;
import io.vsockproxy.testing.Messages;
import io.vsockproxy.testing.NoticePeer;
import io.vsockproxy.testing.Pattern;
import java.io.IOException;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * Passed sockets of the internet family in whose error queue something waits that their application does not take: the
 * kernel reports EPOLLERR for as long as it does, and nothing is wrong.
 */
@Timeout(value = 60, unit = TimeUnit.SECONDS)
class ErrorQueueTest {
    private static final int WINDOW = 64 << 10;
    private static final int LONG = 50_000;
    private static final int TOO_LONG_FOR_UDP = 66_000;
    private static final int MANY = 30;

    private FuzzedProxy proxy;
    private Session session;
    private NoticePeer peer;
    private Endpoint application;
    private Endpoint remote;
    private long handle;

    @BeforeEach
    void open() throws IOException {
        proxy = new FuzzedProxy(false);
        final Endpoint[] pair = Endpoint.socketPair(Constants.SOCK_STREAM);
        session = proxy.session(pair[0], true, true, true);
        peer = new NoticePeer(pair[1]);
        session.start();
        peer.send(
            NoticePeer.greeting(WINDOW), Messages.connectRequest(-1, proxy.targetPath().toString()));
        proxy.turnUntil(proxy.target::isReadable, () -> "the connection");
        application = proxy.target.accept();
        proxy.turnUntilIdle();
        assertEquals(0, peer.receive().getConnectResponse().getErrorCode());
    }

    @AfterEach
    void close() {
        session.close();
        peer.close();
        application.close();
        if (remote != null) {
            remote.close();
        }
        proxy.turnUntilIdle();
        assertTrue(proxy.faults.isEmpty(), proxy.faults::toString);
        proxy.close();
    }

    @Test
    void shouldNotKeepTheLoopBusyForADatagramSocket() {
        pass(InetSockets.datagramPair());
        for (int round = 0; round < 3; round++) {
            peer.send(Messages.data(handle, "out"));
            proxy.turnUntil(remote::isReadable, () -> "the packet");
            assertEquals("out", remote.receive().text());
            proxy.turnUntilIdle();
            // More than are read at once.
            for (int i = 0; i < MANY; i++) {
                remote.send("in " + i);
            }
            proxy.turnUntilIdle();
            for (int i = 0; i < MANY; i++) {
                assertEquals("in " + i, data().toStringUtf8());
            }
        }
    }

    @Test
    void shouldLoseADatagramThatIsTooLongForUdpAndCarryTheNext() {
        final Endpoint[] pair = InetSockets.datagramPair();
        final int roomBefore = sendBuffer(pair[0]);
        // The application keeps a copy of its own.
        final Endpoint own = Endpoint.of(
            PosixException.check(Syscalls.fcntl(pair[0].fd(), Constants.F_DUPFD_CLOEXEC, 0), "fcntl"), "a copy");
        pass(pair);
        assertEquals(-Errno.EMSGSIZE, own.trySend(new byte[TOO_LONG_FOR_UDP], 0, TOO_LONG_FOR_UDP));
        peer.send(Messages.data(handle, new byte[TOO_LONG_FOR_UDP]));
        proxy.turnUntilIdle();
        peer.send(Messages.data(handle, "the next"));
        proxy.turnUntil(remote::isReadable, () -> "the next packet");
        assertEquals("the next", remote.receive().text());
        assertEquals(roomBefore, sendBuffer(own));
        own.close();
    }

    @Test
    void shouldCarryBothDirectionsOfAStreamSocketAndTheEndOfOneAlone() {
        pass(InetSockets.streamPair());
        final byte[] some = Pattern.bytes(1, LONG);
        peer.send(Messages.data(handle, some));
        proxy.turnUntilIdle();
        assertArrayEquals(some, remote.readFully(LONG));
        // In more pieces than one read.
        remote.send(some);
        proxy.turnUntilIdle();
        int received = 0;
        while (received < LONG) {
            received += data().size();
        }
        remote.shutdownWrite();
        proxy.turnUntilIdle();
        peer.next(message -> NoticePeer.isNotice(message, Notice.HALF_CLOSE), "the half-close");
        // What still goes the other way is stamped as well, and that is no end.
        peer.send(Messages.data(handle, "and on"));
        proxy.turnUntilIdle();
        assertEquals("and on", remote.readText(6));
        assertEquals(2, session.handleCount());
        // The application's end is.
        remote.close();
        proxy.turnUntilIdle();
        peer.send(Messages.data(handle, "too late"));
        proxy.turnUntil(() -> session.handleCount() == 1, () -> "the end");
        assertFalse(session.hasEnded());
    }

    /** That is no end either, but for what was sent meanwhile. */
    @Test
    void shouldOutlastThatNobodyReceivesWhatADatagramSocketSends() {
        pass(InetSockets.datagramPair());
        remote = InetSockets.replaced(remote, () -> {
            for (int i = 0; i < 3; i++) {
                peer.send(Messages.data(handle, "nobody receives this"));
                proxy.turnUntilIdle();
            }
        });
        expectPacketsBothWays();
    }

    /** Nor is it one that there is no route for a while. */
    @Test
    void shouldOutlastThatThereIsNoRouteForADatagramSocket() {
        final Endpoint[] pair = InetSockets.datagramPairInOwnNetwork();
        assumeTrue(pair != null, "needs a network namespace");
        pass(pair);
        InetSockets.setReachable(remote, false);
        assertEquals(-Errno.ENETUNREACH, remote.trySend(new byte[1], 0, 1));
        for (int i = 0; i < 3; i++) {
            peer.send(Messages.data(handle, "nobody receives this"));
            proxy.turnUntilIdle();
        }
        InetSockets.setReachable(remote, true);
        expectPacketsBothWays();
    }

    private void expectPacketsBothWays() {
        peer.send(Messages.data(handle, "out"));
        proxy.turnUntilIdle();
        assertEquals("out", remote.receive().text());
        remote.send("in");
        proxy.turnUntilIdle();
        assertEquals("in", data().toStringUtf8());
    }

    private void pass(final Endpoint[] pair) {
        InetSockets.stampWhatIsSent(pair[0]);
        remote = pair[1];
        application.send("d", pair[0]);
        pair[0].close();
        proxy.turnUntilIdle();
        handle = peer.receive().getData().getTransferredFd(0).getHandle();
    }

    private static int sendBuffer(final Endpoint socket) {
        try (SocketOptions options = new SocketOptions()) {
            return options.get(socket.fd(), Constants.SO_SNDBUF);
        }
    }

    private ByteString data() {
        return peer.next(VSockMessage::hasData, "what the application sends").getData().getBlob();
    }
}
