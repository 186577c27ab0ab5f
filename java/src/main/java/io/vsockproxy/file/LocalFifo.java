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
 * A pipe or FIFO of this side that is open for reading and writing at once, and which requests of the other side wait
 * for it. Loop's thread only.
 *
 * <p>Owns two descriptors: the application's, whose file description is not to be touched, and one that was opened
 * anew, which is non-blocking.
 */
public final class LocalFifo {
    /** How many descriptors each has. */
    public static final int DESCRIPTOR_COUNT = 2;

    final ArrayDeque<FifoRequest> reads = new ArrayDeque<>();
    final ArrayDeque<FifoRequest> writes = new ArrayDeque<>();
    Registration registration;
    boolean waitsForRoom;
    /** What a peer's poll waits for, of which it has not been told since: IN and OUT. */
    int armed;
    private final long handle;
    private final OwnedFd original;
    private final OwnedFd own;
    private boolean watched;

    /**
     * @param original the application's. Takes ownership.
     * @param own      opened anew. Takes ownership.
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
     * Has the loop tell what requests wait for. Each time that something comes, not for as long as it is there: what is
     * there may be left for others. Once somebody has polled it stays registered for both, because a change of what is
     * waited for tells at once what is there already, and a poll would be woken by its own question.
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
