/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.session;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.vsockproxy.posix.Constants;
import io.vsockproxy.testing.Endpoint;
import io.vsockproxy.testing.Messages;
import io.vsockproxy.testing.NoticePeer;
import io.vsockproxy.testing.Pattern;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * What an application writes in bulk goes through a pipe. If it lies in more pieces than the pipe has room for, less
 * goes through than was waiting, and a header that is in the pipe already has to be another.
 */
@Timeout(value = 60, unit = TimeUnit.SECONDS)
class SmallPiecesInThePipeTest {
    private static final int LARGE = 32 << 10;
    private static final int PIECE_LENGTH = 300;
    private static final int PIECES = 150;
    /** What a pipe of 256 KiB takes: it has a slot for each page. */
    private static final int SLOTS = 64;

    /** A proxy that spins sends the header ahead; otherwise it takes a slot of the pipe. */
    @ParameterizedTest
    @ValueSource(longs = {0, 50_000})
    void shouldBeSentWithTheirOwnLength(final long spinLimitNs) throws IOException {
        final int piecesInPipe = spinLimitNs > 0 ? SLOTS : SLOTS - 1;
        try (FuzzedProxy proxy = new FuzzedProxy(spinLimitNs)) {
            final Endpoint[] pair = Endpoint.socketPair(Constants.SOCK_STREAM);
            final Session session = proxy.session(pair[0], true, false, true);
            session.start();
            try (NoticePeer peer = new NoticePeer(pair[1])) {
                peer.send(Messages.connectRequest(-1, proxy.targetPath().toString()));
                proxy.turnUntil(proxy.target::isReadable, () -> "the connection");
                try (Endpoint application = proxy.target.accept()) {
                    proxy.turnUntilIdle();
                    peer.receive();
                    final byte[] bytes = Pattern.bytes(1, 2 * LARGE + PIECES * PIECE_LENGTH);
                    final ByteArrayOutputStream came = new ByteArrayOutputStream();
                    // The first is copied, the second goes through the pipe, and so does the beginning of the pieces.
                    for (int i = 0; i < 2; i++) {
                        application.send(Arrays.copyOfRange(bytes, i * LARGE, (i + 1) * LARGE));
                        proxy.turnUntilIdle();
                        assertEquals(List.of(LARGE), receive(peer, came, (i + 1) * LARGE));
                    }
                    for (int at = 2 * LARGE; at < bytes.length; at += PIECE_LENGTH) {
                        application.send(Arrays.copyOfRange(bytes, at, at + PIECE_LENGTH));
                    }
                    proxy.turnUntilIdle();
                    final List<Integer> lengths = receive(peer, came, bytes.length);
                    assertTrue(lengths.contains(piecesInPipe * PIECE_LENGTH), lengths::toString);
                    assertArrayEquals(bytes, came.toByteArray());
                    assertFalse(session.hasEnded());
                }
            }
            session.close();
            proxy.turnUntilIdle();
            assertTrue(proxy.faults.isEmpty(), proxy.faults::toString);
        }
    }

    /** Receives blobs until {@code came} has {@code total} bytes. Returns their lengths. */
    private static List<Integer> receive(final NoticePeer peer, final ByteArrayOutputStream came, final int total)
        throws IOException {
        final List<Integer> lengths = new ArrayList<>();
        while (came.size() < total) {
            final byte[] blob = peer.receive().getData().getBlob().toByteArray();
            assertTrue(blob.length > 0, () -> "no blob after " + lengths);
            came.write(blob);
            lengths.add(blob.length);
        }
        return lengths;
    }
}
