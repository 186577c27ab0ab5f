/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.fuse;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.function.Consumer;

/**
 * The requests in use, and a pool of unused ones. Confined to the loop's thread.
 */
final class FuseRequests {
    private final int limit;
    private final ArrayList<FuseRequest> used = new ArrayList<>();
    private final ArrayDeque<FuseRequest> free = new ArrayDeque<>();

    /**
     * @param limit how many requests may be in use at once, not counting those that are needed.
     */
    FuseRequests(final int limit) {
        this.limit = limit;
    }

    /** How many wait for their backend's answer, including abandoned ones. */
    int size() {
        return used.size();
    }

    /**
     * An unused request.
     *
     * @param needed whether it is to be had even when too many are in use.
     * @return null when too many are in use.
     */
    FuseRequest acquire(final FuseReplies replies, final boolean needed) {
        if (used.size() >= limit && !needed) {
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

    /** The unanswered request with this number, or null. Searches linearly, since interrupts are rare. */
    FuseRequest findWaiting(final long unique) {
        for (int i = used.size() - 1; i >= 0; i--) {
            final FuseRequest request = used.get(i);
            if (request.isWaiting(unique)) {
                return request;
            }
        }
        return null;
    }

    /** Calls {@code action} for each request in use. It may release requests. */
    void forEach(final Consumer<FuseRequest> action) {
        for (final FuseRequest request : used.toArray(new FuseRequest[0])) {
            action.accept(request);
        }
    }
}
