/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.fuse;

import io.vsockproxy.posix.Errno;
import java.util.ArrayDeque;
import java.util.function.IntPredicate;

/**
 * Handles signals sent to callers of requests. As with a file on a disk, no request for a file ends because of a signal
 * that its caller survives; a caller that is killed is released from requests without effects. Requests to streams
 * behave as on a pipe: any signal ends them. Confined to the loop's thread.
 */
final class FuseInterrupts {
    /** How many survivors to check in one review; each check reads a file of /proc. */
    static final int MAX_REVIEWED = 64;

    /** A request whose caller has survived a signal. Valid as long as the pooled request has this number. */
    private record Survivor(FuseRequest request, long unique) { }

    private final FuseRequests requests;
    private final ParkedWrites parkedWrites;
    private final IntPredicate isDying;
    /** Some of these may have been answered meanwhile. */
    private final ArrayDeque<Survivor> survivors = new ArrayDeque<>();

    /**
     * @param isDying whether the thread with this id has been sent a signal that will kill it.
     */
    FuseInterrupts(final FuseRequests requests, final ParkedWrites parkedWrites, final IntPredicate isDying) {
        this.requests = requests;
        this.parkedWrites = parkedWrites;
        this.isDying = isDying;
    }

    /** The kernel reports that whoever waits for its request {@code unique} was sent a signal. It expects no answer. */
    void onInterrupt(final long unique) {
        final FuseRequest request = requests.findWaiting(unique);
        if (request == null) {
            // It has been answered meanwhile.
            return;
        }
        final boolean isUncommitted = request.isParked() || !request.outlivesSignals();
        if (request.node().isStream() || !isUncommitted || isDying.test(request.taskId())) {
            end(request);
        } else {
            survivors.addLast(new Survivor(request, unique));
        }
    }

    /**
     * Whether a caller still waits who was sent a signal. The kernel reports only the first signal of each, so {@link
     * #review} must be called now and then.
     */
    boolean hasSurvivors() {
        return !survivors.isEmpty();
    }

    /** Checks some of the survivors, in turn, and releases those that will die of another signal sent since. */
    void review() {
        int looks = MAX_REVIEWED;
        for (int left = survivors.size(); left > 0 && looks > 0; left--) {
            final Survivor survivor = survivors.pollFirst();
            final FuseRequest request = survivor.request;
            if (request.isWaiting(survivor.unique)) {
                looks--;
                if (isDying.test(request.taskId())) {
                    end(request);
                } else {
                    survivors.addLast(survivor);
                }
            }
        }
    }

    private void end(final FuseRequest request) {
        if (request.isParked()) {
            // The backend has not taken the write, so nothing has been done.
            parkedWrites.remove(request);
            request.replyError(Errno.EINTR);
        } else {
            if (!request.outlivesSignals()) {
                request.abandon(Errno.EINTR);
            }
            final FileBackend backend = request.node().backend();
            if (backend != null) {
                backend.interrupted(request);
            }
        }
    }
}
