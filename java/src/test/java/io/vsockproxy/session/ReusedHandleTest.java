/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.session;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.vsockproxy.link.DescriptorChannel;
import io.vsockproxy.posix.Constants;
import io.vsockproxy.posix.Descriptors;
import io.vsockproxy.posix.OwnedFd;
import io.vsockproxy.posix.Syscalls;
import io.vsockproxy.proto.Close.Notice;
import io.vsockproxy.proto.FileDescriptor;
import io.vsockproxy.proto.VSockMessage;
import io.vsockproxy.testing.Endpoint;
import io.vsockproxy.testing.Messages;
import io.vsockproxy.testing.NoticePeer;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.agrona.concurrent.UnsafeBuffer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * A peer that uses a handle again while the stream that had it before still waits for its reader, or for a descriptor.
 */
@Timeout(value = 60, unit = TimeUnit.SECONDS)
class ReusedHandleTest {
    private static final int WINDOW = 64 << 10;
    private static final long REUSED = -10;
    private static final long LOST = -20;
    private static final String COMPONENT = "component";

    @Test
    void shouldLeaveTheSecondStreamAloneWhenTheFirstFails() throws Exception {
        try (FuzzedProxy proxy = new FuzzedProxy(false)) {
            final int before = Descriptors.count();
            final Endpoint[] pair = Endpoint.socketPair(Constants.SOCK_STREAM);
            final Endpoint[] besidePair = Endpoint.socketPair(Constants.SOCK_STREAM);
            final DescriptorChannel beside =
                new DescriptorChannel(proxy.loop, "beside", TimeUnit.SECONDS.toNanos(60));
            final Session session = proxy.session(pair[0], true, true, false, beside);
            session.start();
            try (NoticePeer peer = new NoticePeer(pair[1])) {
                peer.send(NoticePeer.greeting(WINDOW), Messages.connectRequest(-1, proxy.targetPath().toString()));
                proxy.turnUntil(proxy.target::isReadable, () -> "the connection");
                final Endpoint application = proxy.target.accept();
                proxy.turnUntilIdle();
                final long handle = peer.receive().getConnectResponse().getHandle();
                beside.attach(OwnedFd.of(Syscalls.fcntl(besidePair[0].fd(), Constants.F_DUPFD_CLOEXEC, 0)));
                besidePair[0].close();

                final FileDescriptor socket = Messages.descriptor(FileDescriptor.Type.SOCKET_STREAM, REUSED);
                peer.send(Messages.data(handle, "a", socket));
                proxy.turnUntilIdle();
                final Endpoint first = application.receive().only();
                peer.send(
                    Messages.data(REUSED, "b", Messages.descriptor(FileDescriptor.Type.TRANSPORTABLE, LOST)),
                    Messages.close(REUSED),
                    Messages.data(handle, "c", socket));
                proxy.turnUntilIdle();
                final Endpoint second = application.receive().only();
                assertFalse(first.isHungUp());
                // A byte without the descriptor that was to come.
                besidePair[1].send("x");
                proxy.turnUntilIdle();
                assertTrue(first.isHungUp());

                assertEquals(2, session.handleCount());
                peer.send(Messages.data(REUSED, "to the second"));
                proxy.turnUntilIdle();
                assertEquals("to the second", second.readText(13));
                second.send("from the second");
                proxy.turnUntilIdle();
                assertEquals(Messages.close(LOST), peer.receive());
                assertEquals(Messages.data(REUSED, "from the second"), peer.receive(), "no Close of its handle");
                session.close();
                proxy.turnUntilIdle();
                assertTrue(second.isHungUp());
                List.of(application, first, second, besidePair[1]).forEach(Endpoint::close);
            }
            proxy.turnUntilIdle();
            assertTrue(session.isSettled());
            assertEquals(List.of(), proxy.faults);
            Descriptors.assertCount(before);
        }
    }

    @Test
    void shouldNotStopTheSecondStreamWhenAComponentClosesTheFirst() throws Exception {
        final OrderlyComponent component = new OrderlyComponent();
        try (FuzzedProxy proxy = new FuzzedProxy(false, Map.of(COMPONENT, (from, name) -> component))) {
            final int before = Descriptors.count();
            final Endpoint[] pair = Endpoint.socketPair(Constants.SOCK_STREAM);
            final Session session = proxy.session(pair[0], true, true, true);
            session.start();
            try (NoticePeer peer = new NoticePeer(pair[1])) {
                peer.send(NoticePeer.greeting(WINDOW), Messages.connectRequest(-1, COMPONENT));
                proxy.turnUntilIdle();
                final long handle = peer.receive().getConnectResponse().getHandle();
                final FileDescriptor socket = Messages.descriptor(FileDescriptor.Type.SOCKET_STREAM, REUSED);
                peer.send(Messages.data(handle, "a", socket));
                proxy.turnUntilIdle();
                final OrderlyComponent first = component.passed;
                first.takesNothing = true;
                peer.send(
                    Messages.data(REUSED, "it waits"), Messages.close(REUSED), Messages.data(handle, "b", socket));
                proxy.turnUntilIdle();
                final OrderlyComponent second = component.passed;
                first.channel.close();
                second.channel.offer(new UnsafeBuffer(new byte[] {1}), 0, 1);
                proxy.turnUntilIdle();
                final VSockMessage message = peer.next(
                    any -> !NoticePeer.isNotice(any, Notice.GREETING) && !NoticePeer.isNotice(any, Notice.CREDIT),
                    "what the second sends");
                assertEquals(Messages.data(REUSED, new byte[] {1}), message);
                first.expectEnd();
            }
            proxy.turnUntilIdle();
            component.expectEnd();
            assertEquals(List.of(), proxy.faults);
            Descriptors.assertCount(before);
        }
    }
}
