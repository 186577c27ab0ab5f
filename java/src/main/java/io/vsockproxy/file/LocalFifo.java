/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.file;

import io.vsockproxy.loop.Registration;
import io.vsockproxy.posix.Constants;
import io.vsockproxy.posix.OwnedFd;
import io.vsockproxy.posix.PollEvents;
import java.util.ArrayDeque;

/**
 * A pipe or FIFO of this side that is open for reading and writing, with the peer's requests that wait for it. Confined
 * to the loop's thread.
 *
 * <p>Owns two descriptors: the application's, whose open file description must not change, and a non-blocking one from
 * opening the FIFO a second time.
 */
public final class LocalFifo {
    /** How many descriptors each one owns. */
    public static final int DESCRIPTOR_COUNT = 2;

    final ArrayDeque<FifoRequest> reads = new ArrayDeque<>();
    final ArrayDeque<FifoRequest> writes = new ArrayDeque<>();
    Registration registration;
    boolean waitsForRoom;
    /** The events (IN, OUT) that a poll on the peer's side waits for and has not been told of yet. */
    int armed;
    private final long handle;
    private final OwnedFd original;
    private final OwnedFd own;
    private boolean watched;

    /**
     * @param original the application's descriptor. Takes ownership.
     * @param own      the one opened a second time. Takes ownership.
     */
    LocalFifo(final long handle, final OwnedFd original, final OwnedFd own) {
        this.handle = handle;
        this.original = original;
        this.own = own;
    }

    /** The application's descriptor, borrowed. */
    public int originalFd() {
        return original.fd();
    }

    long handle() {
        return handle;
    }

    int fd() {
        return own.fd();
    }

    void arm(final int events) {
        armed |= events & (PollEvents.IN | PollEvents.OUT);
        watched = true;
    }

    /**
     * Registers with epoll for the events that requests wait for. Edge-triggered, because bytes may stay in the FIFO
     * for other readers. After the first poll by the peer it stays registered for both events: changing the
     * registration reports at once whatever is ready already, so each poll would be woken by its own question.
     */
    void updateInterest() {
        int interest = watched ? Constants.EPOLLIN | Constants.EPOLLOUT : 0;
        if (!reads.isEmpty()) {
            interest |= Constants.EPOLLIN;
        }
        if (!writes.isEmpty()) {
            interest |= Constants.EPOLLOUT;
        }
        registration.interest(interest == 0 ? 0 : interest | Constants.EPOLLET);
    }

    void close() {
        registration.cancel();
        own.close();
        original.close();
    }
}
