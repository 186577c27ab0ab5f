/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.model;

import io.vsockproxy.testing.Endpoint;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/**
 * One end of a channel, as an application has it.
 */
final class End extends Item {
    private final Channel channel;
    private final int index;
    private final Flow outgoing;
    /** Came over the proxies with bytes in front of those that they were sent with; see decision 6. */
    private final List<Endpoint> early = new ArrayList<>();
    private final List<End> holders = new ArrayList<>();
    private boolean closed;
    private boolean shut;
    private boolean gone;

    End(final int id, final Channel channel, final int index, final Application owner) {
        super(id, owner);
        this.channel = channel;
        this.index = index;
        this.outgoing = new Flow((long) id << 32);
    }

    Channel channel() {
        return channel;
    }

    Kind kind() {
        return channel.kind();
    }

    End other() {
        return channel.end(1 - index);
    }

    Flow outgoing() {
        return outgoing;
    }

    Flow incoming() {
        return other().outgoing;
    }

    List<Endpoint> early() {
        return early;
    }

    /** Those who have to receive what they can before this end, which has been lost on its way, is closed. */
    List<End> holders() {
        return holders;
    }

    /**
     * This end was lost on its way to {@code receiver}, which has been closed. If one of that channel's ends has been
     * passed on, an application could have a copy of the receiving one, so the proxy closes what is on its way to it
     * only when it has delivered everything to the sending one.
     */
    void lostOnTheWayTo(final End receiver) {
        holders.addAll(receiver.holders);
        if (receiver.channel.hasBeenPassed()) {
            holders.add(receiver.other());
        }
    }

    boolean canRead() {
        return kind().socket() || index == 0;
    }

    boolean canWrite() {
        return (kind().socket() || index == 1) && !shut && !gone;
    }

    boolean isClosed() {
        return closed;
    }

    /** Closes it, or takes note that it has been lost on its way. */
    void close() {
        closed = true;
        closeDescriptors();
        early.forEach(Endpoint::close);
        early.clear();
        outgoing.senderClosed();
        incoming().receiverClosed();
    }

    /** Nobody receives what is sent on it. */
    void gone() {
        gone = true;
    }

    void shut() {
        shut = true;
    }

    @Override
    public String toString() {
        return kind().name().toLowerCase(Locale.ROOT) + channel.id() + (index == 0 ? "a" : "b");
    }
}
