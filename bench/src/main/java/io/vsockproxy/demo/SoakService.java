/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.demo;

import java.util.Locale;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicLong;

/**
 * The host's application, for many connections at once: each connection begins with its number, by which its other end
 * is found. Thread-safe; a thread of its own accepts.
 */
final class SoakService implements AutoCloseable {
    /** What a number is written as. */
    private static final int NUMBER_LENGTH = 16;
    private static final int STOP = 0;
    private static final long TIMEOUT_S = 30;

    private final Applications applications;
    private final AtomicLong lastNumber = new AtomicLong(STOP);
    private final Map<Long, CompletableFuture<Channel>> expected = new ConcurrentHashMap<>();
    private final FutureTask<Void> acceptor;

    /** The host's end of a connection that somebody else makes. */
    final class Expected implements AutoCloseable {
        private final long number = lastNumber.incrementAndGet();
        private final CompletableFuture<Channel> end = new CompletableFuture<>();

        private Expected() {
            expected.put(number, end);
        }

        /** What the connection must begin with. */
        String greeting() {
            return SoakService.greeting(number);
        }

        /**
         * Waits for the connection, which then belongs to the caller.
         *
         * @throws DemoException when it does not arrive in time.
         */
        Channel await() {
            try {
                return end.get(TIMEOUT_S, TimeUnit.SECONDS);
            } catch (final TimeoutException | ExecutionException e) {
                throw new DemoException("no connection at the host: " + e, e);
            } catch (final InterruptedException e) {
                Thread.currentThread().interrupt();
                throw new DemoException("interrupted", e);
            }
        }

        /** Waits no longer; one that comes later is closed. */
        @Override
        public void close() {
            expected.remove(number);
        }
    }

    /**
     * @param applications nobody else may accept on its host's socket; it is closed with this object.
     */
    SoakService(final Applications applications) {
        this.applications = applications;
        acceptor = Threads.start("soak-accept", this::acceptAll);
    }

    /** Both ends of a new connection through the proxies. */
    Applications.Ends connect() {
        try (Expected host = expect()) {
            final Channel guest = applications.connectGuest();
            try {
                guest.write(host.greeting());
                return new Applications.Ends(guest, host.await());
            } catch (final RuntimeException e) {
                guest.close();
                throw e;
            }
        }
    }

    /** The host's end of a connection that is still to be made. */
    Expected expect() {
        return new Expected();
    }

    /** The guest proxy is gone: what was on its way through it comes no more. */
    void abandonExpected() {
        expected.values().forEach(end -> end.completeExceptionally(new DemoException("its guest is gone")));
    }

    @Override
    public void close() {
        try (Channel last = applications.connectHost()) {
            last.write(greeting(STOP));
            Threads.await(acceptor, TIMEOUT_S);
        }
        applications.close();
    }

    private void acceptAll() {
        long number;
        do {
            number = acceptOne();
        } while (number != STOP);
    }

    private long acceptOne() {
        final Channel channel = applications.accept();
        try {
            final long number = Long.parseLong(channel.read(NUMBER_LENGTH), 16);
            final CompletableFuture<Channel> end = expected.remove(number);
            if (end == null || !end.complete(channel)) {
                channel.close();
            }
            return number;
        } catch (final RuntimeException e) {
            // It ended before it began: its guest was killed.
            channel.close();
            return -1;
        }
    }

    private static String greeting(final long number) {
        return String.format(Locale.ROOT, "%016x", number);
    }
}
