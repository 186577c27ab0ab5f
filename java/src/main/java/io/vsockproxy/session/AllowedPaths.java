/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.session;

import io.vsockproxy.posix.SocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.agrona.DirectBuffer;
import org.agrona.concurrent.UnsafeBuffer;

/**
 * The unix sockets that the other side may ask to be connected to, by their exact paths. Confined to the loop's thread.
 */
public final class AllowedPaths implements AutoCloseable {
    /** A path and its address, which is freed when it is neither allowed nor in use any more. */
    static final class Entry {
        private final UnsafeBuffer path;
        private final SocketAddress address;
        private int users = 1;

        private Entry(final String path) {
            this.path = new UnsafeBuffer(path.getBytes(StandardCharsets.UTF_8));
            this.address = SocketAddress.unix(path);
        }

        /** The address, which stays valid until {@link #giveBack}. */
        SocketAddress borrow() {
            users++;
            return address;
        }

        void giveBack() {
            if (--users == 0) {
                address.close();
            }
        }
    }

    private final UnsafeBuffer asked = new UnsafeBuffer(0, 0);
    private List<Entry> entries = List.of();

    /**
     * @throws IllegalArgumentException when one cannot be the path of a unix socket.
     */
    public AllowedPaths(final List<String> paths) {
        replace(paths);
    }

    /**
     * Allows these paths from now on, and no others. Existing connections, and those being made, are not affected.
     *
     * @throws IllegalArgumentException when one cannot be the path of a unix socket.
     */
    public void replace(final List<String> allowed) {
        final List<Entry> before = entries;
        final List<Entry> after = new ArrayList<>(allowed.size());
        entries = after;
        before.forEach(Entry::giveBack);
        for (final String path : allowed) {
            after.add(new Entry(path));
        }
    }

    /** The entry of a path; null when that is not allowed. */
    Entry find(final DirectBuffer buffer, final int offset, final int length) {
        asked.wrap(buffer, offset, length);
        for (int i = 0; i < entries.size(); i++) {
            final Entry entry = entries.get(i);
            if (entry.path.capacity() == length && entry.path.compareTo(asked) == 0) {
                return entry;
            }
        }
        return null;
    }

    @Override
    public void close() {
        replace(List.of());
    }
}
