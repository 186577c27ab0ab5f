/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.fuse;

import io.vsockproxy.posix.Errno;
import java.util.ArrayDeque;
import java.util.function.IntPredicate;

/**
 * What becomes of requests whose callers are sent signals. As with a disk, no request for a file ends for a signal
 * that its caller survives; who is killed is let go from what changes nothing. Streams are as pipes are: any signal
 * ends what waits. Loop's thread only.
 */
final class FuseInterrupts {
    /** To look after one is to read a file of /proc. */
    static final int MAX_REVIEWED = 64;

    /** A request that goes on after a signal, as long as it has this number. */
    private record Survivor(FuseRequest request, long unique) { }

    private final FuseRequests requests;
    private final ParkedWrites parkedWrites;
    private final IntPredicate isDying;
    /** Some of them may have been answered in the meantime. */
    private final ArrayDeque<Survivor> survivors = new ArrayDeque<>();

    /**
     * @param isDying whether the thread of that number will not survive a signal that it was sent.
     */
    FuseInterrupts(final FuseRequests requests, final ParkedWrites parkedWrites, final IntPredicate isDying) {
        this.requests = requests;
        this.parkedWrites = parkedWrites;
        this.isDying = isDying;
    }

    /** The kernel says, and wants no answer, that whoever waits for its request {@code unique} was sent a signal. */
    void onInterrupt(final long unique) {
        final FuseRequest request = requests.findWaiting(unique);
        if (request == null) {
            // It was answered in the meantime.
            return;
        }
        final boolean isUncommitted = request.parkedData() != null || !request.outlivesSignals();
        if (request.node().isStream() || !isUncommitted || isDying.test(request.taskId())) {
            end(request);
        } else {
            survivors.addLast(new Survivor(request, unique));
        }
    }

    /**
     * Whether somebody goes on waiting who was sent a signal. The kernel tells of the first one only, so
     * {@link #review} has to be called now and then.
     */
    boolean hasSurvivors() {
        return !survivors.isEmpty();
    }

    /** Lets those go who will die of another signal that has come since: looks after some of them, in turn. */
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
        if (request.parkedData() != null) {
            // The backend has not got it: nothing was done.
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
