/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.extension;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.vsockproxy.config.Extensions;
import io.vsockproxy.config.SessionLimits;
import io.vsockproxy.posix.Constants;
import io.vsockproxy.proto.Close;
import io.vsockproxy.proto.FileDescriptor;
import io.vsockproxy.proto.VSockMessage;
import io.vsockproxy.testing.Endpoint;
import io.vsockproxy.testing.Messages;
import io.vsockproxy.testing.NoticePeer;
import io.vsockproxy.testing.RunningGuest;
import io.vsockproxy.testing.RunningHost;
import io.vsockproxy.testing.RunsOverVsock;
import io.vsockproxy.wire.Notice;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.Predicate;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * What a peer of another implementation receives: one Close of handle 0 at the start, and after that nothing that the
 * base protocol does not have, whatever happens to the streams.
 */
@RunsOverVsock
@Timeout(value = 60, unit = TimeUnit.SECONDS)
class OldPeerTest {
    private static final long SHORT_NS = TimeUnit.MILLISECONDS.toNanos(20);
    /** Would ping at once, if it might. */
    private static final Extensions EAGER = new Extensions(true, 1000, 4000, SHORT_NS, 0);

    @RegisterExtension
    static final RunningHost HOST = new RunningHost(SessionLimits.DEFAULTS, EAGER);

    @Test
    void shouldSendAHostsPeerOneGreetingAndNothingElseOfTheExtension() {
        final NoticePeer guest = HOST.closing(new NoticePeer(Endpoint.connect(HOST.link())));
        final List<VSockMessage> seen = new ArrayList<>();
        guest.send(Messages.connectRequest(-1, HOST.targetPath().toString()));
        final Endpoint application = HOST.closing(HOST.target().accept());
        final long handle = see(guest, seen, VSockMessage::hasConnectResponse).getConnectResponse().getHandle();
        runStreams(guest, seen, handle, application, -1);
        expectPlain(seen, true);
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void shouldSendAGuestsPeerOneGreetingAtMostAndNothingElseOfTheExtension(final boolean enabled) {
        final Extensions settings = enabled ? EAGER : Extensions.OFF;
        try (RunningGuest guest = new RunningGuest(SessionLimits.DEFAULTS, settings)) {
            final NoticePeer host = new NoticePeer(guest.host().link());
            final List<VSockMessage> seen = new ArrayList<>();
            try (Endpoint application = guest.connectApplication()) {
                final long cookie = see(host, seen, VSockMessage::hasConnectRequest).getConnectRequest().getCookie();
                host.send(Messages.connectResponse(cookie, 0, 1));
                runStreams(host, seen, 1, application, 2);
            }
            expectPlain(seen, enabled);
        }
    }

    /** Every kind of stream, used and ended in every way there is; {@code newHandle} is of the peer's sign. */
    private static void runStreams(
        final NoticePeer peer,
        final List<VSockMessage> seen,
        final long handle,
        final Endpoint application,
        final long newHandle) {
        // More than a window in each direction, read by the application: with the extension, a CREDIT would be sent.
        for (int i = 0; i < 20; i++) {
            peer.send(Messages.data(handle, new byte[1000]));
            application.readFully(1000);
            application.send(new byte[1000]);
        }
        seeBytes(peer, seen, handle, 20_000);

        // The peer's descriptors of all kinds, received here; each ends in another way.
        final long step = newHandle < 0 ? -1 : 1;
        final FileDescriptor.Type[] types = {
            FileDescriptor.Type.SOCKET_STREAM, FileDescriptor.Type.SOCKET_SEQPACKET, FileDescriptor.Type.SOCKET_DGRAM,
            FileDescriptor.Type.FIFO_READ, FileDescriptor.Type.FIFO_WRITE};
        for (int i = 0; i < types.length; i++) {
            peer.send(Messages.data(handle, "d", Messages.descriptor(types[i], newHandle + step * i)));
            final Endpoint passed = application.receive().only();
            if (types[i] == FileDescriptor.Type.FIFO_WRITE) {
                passed.write("w");
            } else if (types[i] == FileDescriptor.Type.FIFO_READ) {
                for (int n = 0; n < 10; n++) {
                    peer.send(Messages.data(newHandle + step * i, new byte[900]));
                    passed.readFully(900);
                }
            } else {
                passed.send("w");
                for (int n = 0; n < 10; n++) {
                    peer.send(Messages.data(newHandle + step * i, new byte[900]));
                    passed.receive();
                }
                passed.shutdownWrite();
            }
            passed.close();
            if (types[i] == FileDescriptor.Type.FIFO_READ) {
                // A pipe's writer learns that it has no reader by writing.
                peer.send(Messages.data(newHandle + step * i, "nobody"));
            }
            final long ended = newHandle + step * i;
            see(peer, seen, message -> message.hasClose() && message.getClose().getHandle() == ended);
        }

        // The application's descriptors; the peer closes them, or their other end is closed with bytes unread.
        for (final int type : new int[] {Constants.SOCK_STREAM, Constants.SOCK_SEQPACKET, Constants.SOCK_DGRAM}) {
            final Endpoint[] sockets = Endpoint.socketPair(type);
            application.pass("a", sockets[1]);
            final long passed = see(peer, seen, VSockMessage::hasData).getData().getTransferredFd(0).getHandle();
            peer.send(Messages.data(passed, "unread"));
            sockets[0].await(Constants.EPOLLIN, "what the peer sent");
            sockets[0].send("last");
            sockets[0].close();
            see(peer, seen, message -> message.hasClose() && message.getClose().getHandle() == passed);
        }
        final Endpoint[] pipe = Endpoint.pipe();
        application.pass("a", pipe[1]);
        final long writeEnd = see(peer, seen, VSockMessage::hasData).getData().getTransferredFd(0).getHandle();
        pipe[0].close();
        see(peer, seen, message -> message.hasClose() && message.getClose().getHandle() == writeEnd);

        // Long enough for pings, if there were any.
        final long untilNs = System.nanoTime() + 10 * SHORT_NS;
        while (System.nanoTime() - untilNs < 0) {
            peer.send(Messages.fstatRequest(-2, 424242));
            see(peer, seen, VSockMessage::hasFstatResponse);
        }
        application.shutdownWrite();
        see(peer, seen, message -> message.hasClose() && message.getClose().getHandle() == handle);
    }

    private static VSockMessage see(
        final NoticePeer peer, final List<VSockMessage> seen, final Predicate<VSockMessage> wanted) {
        return peer.next(
            message -> {
                seen.add(message);
                return wanted.test(message);
            },
            "what was waited for; so far: " + seen.size());
    }

    private static void seeBytes(
        final NoticePeer peer, final List<VSockMessage> seen, final long handle, final long length) {
        final long[] count = new long[1];
        see(peer, seen, message -> {
            if (message.hasData() && message.getData().getHandle() == handle) {
                count[0] += message.getData().getBlob().size();
            }
            return count[0] >= length;
        });
    }

    private static void expectPlain(final List<VSockMessage> seen, final boolean greeted) {
        final List<VSockMessage> notices = seen.stream()
            .filter(message -> message.hasClose() && message.getClose().getHandle() == 0).toList();
        assertEquals(greeted ? 1 : 0, notices.size(), () -> notices.toString());
        if (greeted) {
            assertEquals(NoticePeer.greeting(EAGER.windowLength(), Notice.EARLY_DATA), seen.get(0));
        }
        for (final VSockMessage message : greeted ? seen.subList(1, seen.size()) : seen) {
            assertNotEquals(VSockMessage.CommandCase.COMMAND_NOT_SET, message.getCommandCase());
            assertTrue(message.getUnknownFields().asMap().isEmpty(), message::toString);
            assertTrue(message.getConnectRequest().getEarlyData().isEmpty(), message::toString);
            if (message.hasClose()) {
                assertEquals(
                    Close.newBuilder().setHandle(message.getClose().getHandle()).build(), message.getClose());
            }
        }
        assertFalse(seen.isEmpty());
    }
}
