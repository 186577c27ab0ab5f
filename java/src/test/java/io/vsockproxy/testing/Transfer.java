/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.testing;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;

import java.util.List;
import java.util.concurrent.CompletableFuture;

/**
 * Bytes that both ends of a stream send at the same time, and compare with what they receive.
 */
public final class Transfer {
    private Transfer() {
    }

    /** Starts to send {@code there} from the first end and {@code back} from the second, and to receive both. */
    public static List<CompletableFuture<?>> bothWays(
        final Endpoint[] ends, final byte[] there, final byte[] back) {
        return List.of(
            sending(ends[0], there), sending(ends[1], back), receiving(ends[1], there), receiving(ends[0], back));
    }

    private static CompletableFuture<Void> sending(final Endpoint end, final byte[] bytes) {
        return Background.start(() -> {
            end.send(bytes);
            return null;
        });
    }

    private static CompletableFuture<Void> receiving(final Endpoint end, final byte[] bytes) {
        return Background.start(() -> {
            assertArrayEquals(bytes, end.readFully(bytes.length));
            return null;
        });
    }
}
