/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.socket;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.vsockproxy.loop.EventLoop;
import io.vsockproxy.posix.Constants;
import io.vsockproxy.posix.DescriptorReserve;
import io.vsockproxy.posix.Descriptors;
import io.vsockproxy.posix.OwnedFd;
import io.vsockproxy.posix.PosixException;
import io.vsockproxy.posix.Syscalls;
import io.vsockproxy.testing.Await;
import io.vsockproxy.testing.Endpoint;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * When connections are accepted.
 */
@Timeout(value = 60, unit = TimeUnit.SECONDS)
class SocketListenerTest {
    @TempDir
    Path directory;

    @Test
    void shouldAcceptNothingOnceAnEarlierEventOfTheSameTurnHasPausedIt() throws InterruptedException {
        final int descriptorsBefore = Await.stable(Descriptors::count);
        final List<OwnedFd> accepted = new ArrayList<>();
        final Endpoint[] pair = Endpoint.socketPair(Constants.SOCK_STREAM);
        final Path path = directory.resolve("socket");
        final List<Throwable> faults = new ArrayList<>();
        try (EventLoop loop = new EventLoop(0, faults::add);
            Endpoint listening = Endpoint.listen(path);
            SocketListener listener = new SocketListener(
                loop, copy(listening), "test", new DescriptorReserve(Integer.MAX_VALUE), accepted::add)) {
            listening.setNonBlocking();
            listener.resume();
            // Ready before the listener, so reported before it.
            loop.register(pair[0].fd(), Constants.EPOLLIN, events -> listener.pause());
            pair[1].send("pause");
            try (Endpoint client = Endpoint.connect(path)) {
                loop.turn(0);
                assertEquals(List.of(), accepted);
                assertFalse(client.isHungUp());
                listener.resume();
                pair[0].receive();
                loop.turn(0);
                assertEquals(1, accepted.size());
                assertTrue(client.isWritable());
            }
        }
        assertEquals(List.of(), faults);
        accepted.forEach(OwnedFd::close);
        Endpoint.closeAll(pair);
        Descriptors.assertCount(descriptorsBefore);
    }

    private static OwnedFd copy(final Endpoint endpoint) {
        return OwnedFd.of(
            PosixException.check(Syscalls.fcntl(endpoint.fd(), Constants.F_DUPFD_CLOEXEC, 0), "fcntl"));
    }
}
