/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.session;

import io.vsockproxy.posix.SocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.List;
import org.agrona.DirectBuffer;
import org.agrona.concurrent.UnsafeBuffer;

/**
 * The unix sockets that the other side may ask to be connected to, by their exact paths.
 */
public final class AllowedPaths implements AutoCloseable {
    private final UnsafeBuffer[] paths;
    private final SocketAddress[] addresses;
    private final UnsafeBuffer asked = new UnsafeBuffer(0, 0);

    /**
     * @throws IllegalArgumentException when one cannot be the path of a unix socket.
     */
    public AllowedPaths(final List<String> paths) {
        this.paths = new UnsafeBuffer[paths.size()];
        this.addresses = new SocketAddress[paths.size()];
        for (int i = 0; i < this.paths.length; i++) {
            this.paths[i] = new UnsafeBuffer(paths.get(i).getBytes(StandardCharsets.UTF_8));
            addresses[i] = SocketAddress.unix(paths.get(i));
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
        for (final SocketAddress address : addresses) {
            address.close();
        }
    }
}
