/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.it;

import static io.vsockproxy.proto.FileDescriptor.Type.FIFO_READ;
import static io.vsockproxy.proto.FileDescriptor.Type.SOCKET_STREAM;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.vsockproxy.posix.Errno;
import io.vsockproxy.proto.ConnectResponse;
import io.vsockproxy.testing.Endpoint;
import io.vsockproxy.testing.Limits;
import io.vsockproxy.testing.Messages;
import io.vsockproxy.testing.RawPeer;
import io.vsockproxy.testing.RunningGuest;
import io.vsockproxy.testing.RunningHost;
import io.vsockproxy.testing.RunningHost.Connection;
import io.vsockproxy.testing.RunsOverVsock;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Connect requests: those that are answered with an errno, and those that succeed.
 */
@RunsOverVsock
@Timeout(value = 60, unit = TimeUnit.SECONDS)
class ConnectRequestsTest {
    private static final int MAX_PATH_LENGTH = 107;

    @RegisterExtension
    static final RunningHost HOST = new RunningHost();

    /** What is asked for, and the answer. */
    enum Refusal {
        NOT_ALLOWED("/etc/passwd", Errno.EACCES),
        EMPTY("", Errno.EACCES),
        RELATIVE("target", Errno.EACCES),
        LONGEST("/" + "x".repeat(MAX_PATH_LENGTH - 1), Errno.EACCES),
        TOO_LONG("/" + "x".repeat(MAX_PATH_LENGTH), Errno.ENAMETOOLONG),
        FAR_TOO_LONG("x".repeat(1 << 20), Errno.ENAMETOOLONG),
        ONLY_A_NUL("\0", Errno.EINVAL),
        ABSTRACT("\0abstract", Errno.EINVAL);

        private final String path;
        private final int errno;

        Refusal(final String path, final int errno) {
            this.path = path;
            this.errno = errno;
        }
    }

    @ParameterizedTest
    @EnumSource
    void shouldRefuseWithAnErrno(final Refusal refusal) {
        final RawPeer guest = HOST.guest();
        assertEquals(refusal.errno, errnoOf(guest, refusal.path));
        HOST.connect(guest);
    }

    @Test
    void shouldRefuseAnAllowedPathWithSomethingBehindANul() {
        assertEquals(Errno.EINVAL, errnoOf(HOST.guest(), HOST.targetPath() + "\0"));
    }

    @Test
    void shouldRefuseOtherSpellingsOfAnAllowedPath() {
        final RawPeer guest = HOST.guest();
        assertEquals(Errno.EACCES, errnoOf(guest, "/" + HOST.targetPath()));
        assertEquals(Errno.EACCES, errnoOf(guest, HOST.targetPath() + "/"));
        assertEquals(Errno.EACCES, errnoOf(guest, HOST.targetPath().getParent() + "/./target"));
    }

    @Test
    void shouldSayWhyAnAllowedPathCannotBeConnectedTo() {
        final RawPeer guest = HOST.guest();
        assertEquals(Errno.ENOENT, errnoOf(guest, HOST.nothingPath().toString()));
        assertEquals(Errno.ECONNREFUSED, errnoOf(guest, HOST.deadPath().toString()));
        HOST.connect(guest);
    }

    @Test
    void shouldMakeUpAPositiveHandleForEachConnection() {
        final RawPeer guest = HOST.guest();
        final Set<Long> handles = new HashSet<>();
        for (int i = 0; i < 50; i++) {
            final long handle = HOST.connect(guest).handle();
            assertTrue(handle > 0, "handle=" + handle);
            assertTrue(handles.add(handle), "handle=" + handle);
        }
    }

    @Test
    void shouldAnswerRequestsForUnknownHandlesWithBadDescriptor() {
        final RawPeer guest = HOST.guest();
        guest.send(RawPeer.frames(
            Messages.preadRequest(-1, 9, 10, 0),
            Messages.pwriteRequest(-2, 9, new byte[10], 0),
            Messages.fstatRequest(-3, -9),
            Messages.ftruncateRequest(-4, 0, 10)));
        assertEquals(Errno.EBADF, guest.receive().getPreadResponse().getErrorCode());
        assertEquals(Errno.EBADF, guest.receive().getPwriteResponse().getErrorCode());
        assertEquals(Errno.EBADF, guest.receive().getFstatResponse().getErrorCode());
        assertEquals(Errno.EBADF, guest.receive().getFtruncateResponse().getErrorCode());
    }

    @Test
    void shouldAnswerFileRequestsForStreamsWithAnErrno() {
        final RawPeer guest = HOST.guest();
        final Connection connection = HOST.connect(guest);
        guest.send(Messages.data(connection.handle(), "x",
            Messages.descriptor(FIFO_READ, -1), Messages.descriptor(SOCKET_STREAM, -2)));
        connection.application().receive().descriptors().forEach(HOST::closing);
        for (final long handle : new long[] {connection.handle(), -1, -2}) {
            guest.send(RawPeer.frames(
                Messages.preadRequest(-11, handle, 10, 0),
                Messages.pwriteRequest(-12, handle, new byte[10], 0),
                Messages.fstatRequest(-13, handle),
                Messages.ftruncateRequest(-14, handle, 10)));
            assertEquals(Errno.ESPIPE, guest.receive().getPreadResponse().getErrorCode());
            assertEquals(Errno.ESPIPE, guest.receive().getPwriteResponse().getErrorCode());
            assertEquals(Errno.EINVAL, guest.receive().getFstatResponse().getErrorCode());
            assertEquals(Errno.EINVAL, guest.receive().getFtruncateResponse().getErrorCode());
        }
        guest.send(Messages.data(connection.handle(), "as ever"));
        assertEquals("as ever", connection.application().readText(7));
    }

    @Test
    void shouldCloseTheApplicationThatTheHostRefuses() {
        try (RunningGuest guest = new RunningGuest(); Endpoint application = guest.connectApplication()) {
            final var request = guest.host().receive().getConnectRequest();
            assertEquals(RunningGuest.REMOTE_PATH, request.getPath());
            assertTrue(request.getCookie() < 0);
            guest.host().send(Messages.connectResponse(request.getCookie(), Errno.EACCES, 0));
            application.expectEnd();
            // And the next one is still requested.
            try (Endpoint next = guest.connectApplication()) {
                final long cookie = guest.host().receive().getConnectRequest().getCookie();
                guest.host().send(Messages.connectResponse(cookie, 0, 5));
                next.send("hello");
                assertEquals("hello", guest.host().receive().getData().getBlob().toStringUtf8());
            }
        }
    }

    @Test
    void shouldLimitHowManyApplicationsWaitForAnAnswer() {
        final int max = 3;
        try (RunningGuest guest = new RunningGuest(Limits.with(Map.of("maxPendingConnects", (long) max)))) {
            final Deque<Endpoint> waiting = new ArrayDeque<>();
            final Deque<Long> cookies = new ArrayDeque<>();
            for (int i = 0; i < max; i++) {
                waiting.add(guest.connectApplication());
                cookies.add(guest.host().receive().getConnectRequest().getCookie());
            }
            try (Endpoint tooMuch = guest.connectApplication()) {
                tooMuch.expectEnd();
            }
            // A connection that gives up may have sent something, so it keeps its place until the host has answered.
            waiting.remove().close();
            try (Endpoint tooMuch = guest.connectApplication()) {
                tooMuch.expectEnd();
            }
            guest.host().send(Messages.connectResponse(cookies.remove(), Errno.ETIMEDOUT, 0));
            guest.host().link().awaitTaken();
            waiting.add(guest.connectApplication());
            cookies.add(guest.host().receive().getConnectRequest().getCookie());
            for (long handle = 1; !waiting.isEmpty(); handle++) {
                guest.host().send(Messages.connectResponse(cookies.remove(), 0, handle));
                guest.host().send(Messages.data(handle, "late"));
                try (Endpoint application = waiting.remove()) {
                    assertEquals("late", application.readText(4));
                }
            }
        }
    }

    @Test
    void shouldForwardWhatAnApplicationSentBeforeItsConnectionWasAnsweredAndThenItsEnd() {
        try (RunningGuest guest = new RunningGuest()) {
            try (Endpoint application = guest.connectApplication()) {
                application.send("early");
            }
            final long cookie = guest.host().receive().getConnectRequest().getCookie();
            guest.host().send(Messages.connectResponse(cookie, 0, 5));
            assertEquals("early", guest.host().receive().getData().getBlob().toStringUtf8());
            assertEquals(5, guest.host().receive().getClose().getHandle());
        }
    }

    private static int errnoOf(final RawPeer guest, final String path) {
        guest.send(Messages.connectRequest(-5, path));
        final ConnectResponse response = guest.receive().getConnectResponse();
        assertEquals(-5, response.getCookie());
        assertEquals(0, response.getHandle());
        return response.getErrorCode();
    }
}
