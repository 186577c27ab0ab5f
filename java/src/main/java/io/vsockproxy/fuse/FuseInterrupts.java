/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.fuse;

import io.vsockproxy.posix.Errno;
import java.util.function.IntPredicate;

/**
 * What becomes of requests whose callers are sent signals. As with a disk, no request for a file ends for a signal
 * that its caller survives; who is killed is let go from what changes nothing. Streams are as pipes are: any signal
 * ends what waits. Loop's thread only.
 */
final class FuseInterrupts {
    private final FuseRequests requests;
    private final ParkedWrites parkedWrites;
    private final IntPredicate isDying;
    private boolean surviving;

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
            request.signalled(true);
            surviving = true;
        }
    }

    /**
     * Whether somebody goes on waiting who was sent a signal. The kernel tells of the first one only, so
     * {@link #review} has to be called now and then.
     */
    boolean hasSurvivors() {
        return surviving;
    }

    /** Lets those go who will die of another signal that has come since. */
    void review() {
        surviving = false;
        requests.forEach(request -> {
            if (request.isSignalled()) {
                if (isDying.test(request.taskId())) {
                    end(request);
                } else {
                    surviving = true;
                }
            }
        });
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
