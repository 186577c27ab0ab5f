/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.session;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.vsockproxy.posix.Constants;
import io.vsockproxy.posix.Descriptors;
import io.vsockproxy.proto.FileDescriptor;
import io.vsockproxy.proto.VSockMessage;
import io.vsockproxy.testing.Endpoint;
import io.vsockproxy.testing.Messages;
import io.vsockproxy.testing.RawPeer;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * Many small frames that arrive at once. The test runs the loop turn by turn, to see what happens in each.
 */
@Timeout(value = 60, unit = TimeUnit.SECONDS)
class ManyFramesTest {
    private static final int FRAMES = 3000;
    private static final long UNKNOWN_HANDLE = 77;
    private static final int MESSAGES = 200;
    private static final int PIPES = 6;

    @Test
    void shouldGiveAnApplicationItsTurnBeforeAllOfThemHaveBeenDealtWith() throws IOException {
        expectTheApplicationsWordAmongTheAnswers(questions(), FRAMES);
    }

    /** Each descriptor takes as long as several small frames. */
    @Test
    void shouldGiveAnApplicationItsTurnBeforeManyDescriptorsHaveBeenDealtWith() throws IOException {
        expectTheApplicationsWordAmongTheAnswers(pipes(), MESSAGES);
    }

    private static void expectTheApplicationsWordAmongTheAnswers(final byte[] frames, final int questions)
        throws IOException {
        try (FuzzedProxy proxy = new FuzzedProxy(false)) {
            final int before = Descriptors.count();
            final Endpoint[] pair = Endpoint.socketPair(Constants.SOCK_STREAM);
            final Session session = proxy.session(pair[0], true, false, true);
            session.start();
            try (RawPeer peer = RawPeer.over(pair[1])) {
                peer.send(Messages.connectRequest(-1, proxy.targetPath().toString()));
                proxy.turnUntilIdle();
                final long handle = peer.receive().getConnectResponse().getHandle();
                try (Endpoint application = proxy.target.accept()) {
                    peer.send(frames);
                    proxy.loop.turn(0);
                    application.write("meanwhile");
                    proxy.turnUntilIdle();

                    final List<Long> answered = new ArrayList<>();
                    int atWord = -1;
                    while (answered.size() < questions || atWord < 0) {
                        final VSockMessage message = peer.receive();
                        if (message.hasData()) {
                            assertEquals(Messages.data(handle, "meanwhile"), message);
                            atWord = answered.size();
                        } else if (message.hasFstatResponse()) {
                            answered.add(message.getFstatResponse().getCookie());
                        }
                    }
                    assertEquals(cookies(questions), answered);
                    assertTrue(atWord > 0 && atWord < questions, "after " + atWord + " of " + questions + " answers");
                }
            }
            proxy.turnUntilIdle();
            assertTrue(session.hasEnded());
            assertEquals(List.of(), proxy.faults);
            assertEquals(before, Descriptors.count());
        }
    }

    @Test
    void shouldDealWithAllOfThemThoughThePeerHasGone() throws IOException {
        try (FuzzedProxy proxy = new FuzzedProxy(false)) {
            final int before = Descriptors.count();
            final Endpoint[] pair = Endpoint.socketPair(Constants.SOCK_STREAM);
            final Session session = proxy.session(pair[0], true, false, true);
            session.start();
            final Endpoint application;
            try (RawPeer peer = RawPeer.over(pair[1])) {
                peer.send(Messages.connectRequest(-1, proxy.targetPath().toString()));
                proxy.turnUntilIdle();
                final long handle = peer.receive().getConnectResponse().getHandle();
                application = proxy.target.accept();
                peer.send(questions());
                peer.send(Messages.data(handle, "last"));
            }
            proxy.turnUntilIdle();
            assertEquals("last", application.readText(4));
            application.close();
            proxy.turnUntilIdle();
            assertTrue(session.hasEnded());
            assertEquals(List.of(), proxy.faults);
            assertEquals(before, Descriptors.count());
        }
    }

    /** Each is answered at once: there is no such file. */
    private static byte[] questions() {
        return RawPeer.frames(cookies(FRAMES).stream()
            .map(cookie -> Messages.fstatRequest(cookie, UNKNOWN_HANDLE)).toArray(VSockMessage[]::new));
    }

    /** Messages with pipes for a stream that is not there, and behind each of them a question. */
    private static byte[] pipes() {
        final VSockMessage[] messages = new VSockMessage[2 * MESSAGES];
        for (int i = 0; i < MESSAGES; i++) {
            final int first = -1 - i * PIPES;
            messages[2 * i] = Messages.data(UNKNOWN_HANDLE, "pipes", IntStream.range(0, PIPES)
                .mapToObj(n -> Messages.descriptor(FileDescriptor.Type.FIFO_READ, first - n))
                .toArray(FileDescriptor[]::new));
            messages[2 * i + 1] = Messages.fstatRequest(-1 - i, UNKNOWN_HANDLE);
        }
        return RawPeer.frames(messages);
    }

    private static List<Long> cookies(final int count) {
        return LongStream.rangeClosed(1, count).mapToObj(i -> -i).toList();
    }
}
