/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.it;

import static io.vsockproxy.proto.FileDescriptor.Type.TRANSPORTABLE;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.vsockproxy.posix.Constants;
import io.vsockproxy.posix.Errno;
import io.vsockproxy.proto.VSockMessage;
import io.vsockproxy.testing.Await;
import io.vsockproxy.testing.Endpoint;
import io.vsockproxy.testing.Limits;
import io.vsockproxy.testing.Messages;
import io.vsockproxy.testing.RawPeer;
import io.vsockproxy.testing.RunningHost;
import io.vsockproxy.testing.RunningHost.Connection;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;

/**
 * A peer that reads nothing and asks for so much that the ring has no room for more answers.
 */
@Timeout(value = 90, unit = TimeUnit.SECONDS)
class UsedUpRingTest {
    private static final int STREAMS = 1_000;
    private static final int MAX_REFUSED = 200_000;
    /** How many fewer are refused than there is room to tell, before streams fail. */
    private static final int MARGIN = 300;
    private static final int ATTEMPTS = 20;
    private static final Pattern LAST_FRAME = Pattern.compile("session ended: frame (\\d+)");

    @RegisterExtension
    static final RunningHost HOST = new RunningHost(Limits.with(Map.of("outboundLength", 256L << 10)));

    @Test
    void shouldCloseTheStreamWhoseFailureCannotBeTold() {
        final RawPeer first = HOST.guest();
        sendUntilTheEnd(first, refused(MAX_REFUSED));
        final int room = awaitLastFrame(1);
        first.close();
        boolean isHit = false;
        for (int attempt = 0; attempt < ATTEMPTS && !isHit; attempt++) {
            final RawPeer guest = HOST.guest();
            final List<Connection> connections = new ArrayList<>();
            for (int i = 0; i < STREAMS; i++) {
                connections.add(HOST.connect(guest));
            }
            final List<VSockMessage> messages = new ArrayList<>(refused(room - MARGIN));
            for (final Connection connection : connections) {
                // No descriptor comes with it.
                messages.add(Messages.data(connection.handle(), "x", Messages.descriptor(TRANSPORTABLE, 0)));
            }
            messages.addAll(refused(MAX_REFUSED));
            sendUntilTheEnd(guest, messages);
            final int firstFailure = STREAMS + room - MARGIN;
            final int last = awaitLastFrame(2 + attempt);
            isHit = last > firstFailure && last <= firstFailure + STREAMS;
            connections.stream().map(Connection::application).forEach(Endpoint::awaitHangUp);
            connections.stream().map(Connection::application).forEach(Endpoint::close);
            guest.close();
        }
        assertTrue(isHit, "the room was never used up by a stream's failure");
    }

    private static List<VSockMessage> refused(final int count) {
        return Collections.nCopies(count, Messages.connectRequest(-1, "/refused"));
    }

    private static void sendUntilTheEnd(final RawPeer guest, final List<VSockMessage> messages) {
        final byte[] bytes = RawPeer.frames(messages.toArray(VSockMessage[]::new));
        int sent = 0;
        int result = 0;
        while (result != -Errno.EPIPE && result != -Errno.ECONNRESET) {
            assertTrue(sent < bytes.length, "it goes on answering");
            result = guest.link().trySend(bytes, sent, bytes.length - sent);
            if (result == -Errno.EAGAIN) {
                guest.link().await(Constants.EPOLLOUT, "the host to read on, or to end the session");
            }
            sent += Math.max(0, result);
        }
    }

    /** The number of the frame that ended the last one of {@code count} sessions. */
    private static int awaitLastFrame(final int count) {
        Await.until(() -> HOST.log().linesWith("session ended: ").size() == count, () -> "end of session " + count);
        final String line = HOST.log().linesWith("session ended: ").get(count - 1);
        final Matcher matcher = LAST_FRAME.matcher(line);
        assertTrue(matcher.find(), line);
        return Integer.parseInt(matcher.group(1));
    }
}
