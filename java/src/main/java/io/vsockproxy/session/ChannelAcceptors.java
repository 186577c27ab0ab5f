/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.session;

import io.vsockproxy.channel.ChannelAcceptor;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.agrona.DirectBuffer;
import org.agrona.concurrent.UnsafeBuffer;

/**
 * The names of components of this process that the other side may ask to be connected to. Confined to the loop's
 * thread.
 */
public final class ChannelAcceptors {
    /** A component's name, also in UTF-8, and its acceptor. */
    record Entry(String name, UnsafeBuffer bytes, ChannelAcceptor acceptor) { }

    private final List<Entry> entries = new ArrayList<>();
    private final UnsafeBuffer asked = new UnsafeBuffer(0, 0);

    /**
     * @param acceptors by name.
     */
    public ChannelAcceptors(final Map<String, ChannelAcceptor> acceptors) {
        acceptors.forEach((name, acceptor) -> entries.add(
            new Entry(name, new UnsafeBuffer(name.getBytes(StandardCharsets.UTF_8)), acceptor)));
    }

    /** The entry of a name, or null. */
    Entry find(final DirectBuffer buffer, final int offset, final int length) {
        if (entries.isEmpty()) {
            return null;
        }
        asked.wrap(buffer, offset, length);
        for (final Entry entry : entries) {
            if (entry.bytes().capacity() == length && entry.bytes().compareTo(asked) == 0) {
                return entry;
            }
        }
        return null;
    }
}
