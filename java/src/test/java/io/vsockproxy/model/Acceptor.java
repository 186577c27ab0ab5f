/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.model;

import io.vsockproxy.Role;
import io.vsockproxy.posix.Constants;
import io.vsockproxy.posix.Errno;
import io.vsockproxy.testing.Endpoint;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/**
 * Connects at once, and accepts when the accepted end is needed. Through the proxies, connections may arrive in another
 * order than they were made in, so each begins with its channel's number.
 */
final class Acceptor implements AutoCloseable {
    /** A connection that has come, and the descriptors that have come with its first bytes; see decision 6. */
    private record Arrival(Endpoint connection, List<Endpoint> early) { }

    private final Site site;
    private final long patienceMs;
    private final Map<World, Map<Long, Arrival>> arrivals =
        Map.of(World.PLAIN, new HashMap<>(), World.PROXIED, new HashMap<>());

    Acceptor(final Site site, final long patienceMs) {
        this.site = site;
        this.patienceMs = patienceMs;
    }

    /** Connects {@code client}, in both worlds. */
    void connect(final End client) {
        for (final World world : World.BOTH) {
            final Endpoint socket = site.connect(world, client.owner().side());
            client.put(world, socket);
            socket.send(ByteBuffer.allocate(Long.BYTES).putLong(client.channel().id()).array());
        }
    }

    /** Has {@code end}'s application accept it, if it has yet to do that. */
    void accept(final End end) {
        for (final World world : World.BOTH) {
            if (end.in(world) == null) {
                final Arrival arrival = await(world, end);
                end.put(world, arrival.connection());
                end.early().addAll(arrival.early());
            }
        }
    }

    @Override
    public void close() {
        for (final Map<Long, Arrival> some : arrivals.values()) {
            for (final Arrival arrival : some.values()) {
                arrival.connection().close();
                arrival.early().forEach(Endpoint::close);
            }
            some.clear();
        }
    }

    private Arrival await(final World world, final End end) {
        final Role side = end.owner().side();
        final Endpoint listening = site.listening(world, side);
        final Map<Long, Arrival> known = arrivals.get(world);
        Arrival found = known.remove((long) end.channel().id());
        while (found == null) {
            if (listening.poll(Constants.EPOLLIN, (int) patienceMs) == 0) {
                throw new AssertionError("the connection of " + end + " did not come in the world that is " + world);
            }
            final Endpoint connection = listening.accept();
            final List<Endpoint> early = new ArrayList<>();
            known.put(number(connection, early), new Arrival(connection, early));
            found = known.remove((long) end.channel().id());
        }
        return found;
    }

    private long number(final Endpoint connection, final List<Endpoint> early) {
        final ByteBuffer number = ByteBuffer.allocate(Long.BYTES);
        final long deadlineNs = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(patienceMs);
        while (number.hasRemaining()) {
            final byte[] bytes = new byte[number.remaining()];
            final int count = connection.tryReceive(bytes, early);
            if (count > 0) {
                number.put(bytes, 0, count);
            } else if (count != -Errno.EAGAIN || System.nanoTime() - deadlineNs >= 0) {
                throw new AssertionError("a connection ended before its first bytes had come: "
                    + Calls.describe(count) + " after " + number.position());
            } else {
                connection.poll(Constants.EPOLLIN, 1);
            }
        }
        return number.getLong(0);
    }
}
