/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.session;

import io.vsockproxy.posix.SocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.agrona.DirectBuffer;
import org.agrona.concurrent.UnsafeBuffer;

/**
 * The unix sockets that the other side may ask to be connected to, by their exact paths. Loop's thread only.
 */
public final class AllowedPaths implements AutoCloseable {
    /** Of every path that was ever allowed: a connect may still be under way to one that is not any more. */
    private final Map<String, SocketAddress> known = new HashMap<>();
    private final UnsafeBuffer asked = new UnsafeBuffer(0, 0);
    private UnsafeBuffer[] paths;
    private SocketAddress[] addresses;

    /**
     * @throws IllegalArgumentException when one cannot be the path of a unix socket.
     */
    public AllowedPaths(final List<String> paths) {
        replace(paths);
    }

    /**
     * Allows these from now on, and no others; connections that have been made stay.
     *
     * @throws IllegalArgumentException when one cannot be the path of a unix socket.
     */
    public void replace(final List<String> allowed) {
        paths = new UnsafeBuffer[allowed.size()];
        addresses = new SocketAddress[paths.length];
        for (int i = 0; i < paths.length; i++) {
            final String path = allowed.get(i);
            paths[i] = new UnsafeBuffer(path.getBytes(StandardCharsets.UTF_8));
            addresses[i] = known.computeIfAbsent(path, SocketAddress::unix);
        }
    }

    /** The address for a path, which stays this list's; null when the path is not on it. */
    SocketAddress find(final DirectBuffer buffer, final int offset, final int length) {
        asked.wrap(buffer, offset, length);
        for (int i = 0; i < paths.length; i++) {
            if (paths[i].capacity() == length && paths[i].compareTo(asked) == 0) {
                return addresses[i];
            }
        }
        return null;
    }

    @Override
    public void close() {
        known.values().forEach(SocketAddress::close);
        known.clear();
    }
}
