/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.fuse;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.function.Consumer;

/**
 * The requests in use, and those that wait to be used again. Loop's thread only.
 */
final class FuseRequests {
    private final int limit;
    private final ArrayList<FuseRequest> used = new ArrayList<>();
    private final ArrayDeque<FuseRequest> free = new ArrayDeque<>();

    /**
     * @param limit how many may be in use at once.
     */
    FuseRequests(final int limit) {
        this.limit = limit;
    }

    /** How many wait for their backend's answer, abandoned ones included. */
    int size() {
        return used.size();
    }

    /** A request to begin; null when too many are in use. */
    FuseRequest acquire(final FuseReplies replies) {
        if (used.size() >= limit) {
            return null;
        }
        FuseRequest request = free.pollLast();
        if (request == null) {
            request = new FuseRequest(replies);
        }
        request.poolIndex = used.size();
        used.add(request);
        return request;
    }

    void release(final FuseRequest request) {
        final FuseRequest last = used.remove(used.size() - 1);
        if (last != request) {
            last.poolIndex = request.poolIndex;
            used.set(request.poolIndex, last);
        }
        free.addLast(request);
    }

    /** The request of that number that the kernel waits for, or null. Looks at each: interrupts are rare. */
    FuseRequest findWaiting(final long unique) {
        for (int i = used.size() - 1; i >= 0; i--) {
            final FuseRequest request = used.get(i);
            if (request.isWaiting(unique)) {
                return request;
            }
        }
        return null;
    }

    /** Calls {@code action}, which may release requests, with each that is in use now. */
    void forEach(final Consumer<FuseRequest> action) {
        for (final FuseRequest request : used.toArray(new FuseRequest[0])) {
            action.accept(request);
        }
    }
}
