/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.demo;

import io.vsockproxy.posix.Memory;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.FutureTask;

/**
 * Connections that are all open at once, each with a request of its own and its reply.
 */
final class ManyConnections implements Step {
    private static final int COUNT = 200;
    private static final int LENGTH = 4096;
    private static final long TIMEOUT_S = 30;

    @Override
    public String name() {
        return COUNT + " connections at once";
    }

    @Override
    public List<Row> run(final Applications applications, final Screen screen) {
        final List<Channel> guests = new ArrayList<>();
        final List<Channel> hosts = new ArrayList<>();
        final long startNs = System.nanoTime();
        try (Memory memory = Memory.allocate(LENGTH)) {
            final FutureTask<Void> host = Threads.start("demo-host", () -> serve(applications, hosts));
            for (int i = 0; i < COUNT; i++) {
                final Channel guest = applications.connectGuest();
                guests.add(guest);
                fill(memory, i);
                guest.writeFully(memory.address(), LENGTH);
                screen.progress((i + 1) + " of " + COUNT + " connected");
            }
            Threads.await(host, TIMEOUT_S);
            for (int i = 0; i < COUNT; i++) {
                guests.get(i).readFully(memory.address(), LENGTH);
                check(memory, i);
            }
        } finally {
            guests.forEach(Channel::close);
            hosts.forEach(Channel::close);
        }
        final double seconds = (System.nanoTime() - startNs) / 1e9;
        return List.of(Row.of(
            "connections open at once",
            String.format(Locale.ROOT, "%d, %d KiB each way; %,.0f/s", COUNT, LENGTH / 1024, COUNT / seconds)));
    }

    /** Accepts them all before it answers the first. */
    private static void serve(final Applications applications, final List<Channel> hosts) {
        for (int i = 0; i < COUNT; i++) {
            hosts.add(applications.accept());
        }
        try (Memory memory = Memory.allocate(LENGTH)) {
            for (final Channel channel : hosts) {
                channel.readFully(memory.address(), LENGTH);
                channel.writeFully(memory.address(), LENGTH);
            }
        }
    }

    private static void fill(final Memory memory, final int number) {
        for (int i = 0; i < LENGTH; i += Integer.BYTES) {
            memory.buffer().putInt(i, number * LENGTH + i);
        }
    }

    private static void check(final Memory memory, final int number) {
        for (int i = 0; i < LENGTH; i += Integer.BYTES) {
            Check.equal("connection " + number + ", byte " + i, number * LENGTH + i, memory.buffer().getInt(i));
        }
    }
}
