/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.fuse;

import io.vsockproxy.posix.Errno;
import io.vsockproxy.posix.OwnedFd;
import java.util.function.Consumer;

/**
 * One open(2) of a file of the mount, from the request until its completion has been called. Confined to the loop's
 * thread.
 */
final class PendingOpen {
    private final FuseNode node;
    private final String path;
    private final int flags;
    private final OpenCompletion completion;
    private final Consumer<PendingOpen> onDone;
    private boolean begun;

    /**
     * @param onDone called after {@code completion}.
     */
    PendingOpen(
        final FuseNode node,
        final String path,
        final int flags,
        final OpenCompletion completion,
        final Consumer<PendingOpen> onDone) {
        this.node = node;
        this.path = path;
        this.flags = flags;
        this.completion = completion;
        this.onDone = onDone;
    }

    /** Marks it as begun. Returns true the first time. */
    boolean begin() {
        final boolean first = !begun;
        begun = true;
        return first;
    }

    FuseNode node() {
        return node;
    }

    String path() {
        return path;
    }

    int flags() {
        return flags;
    }

    /**
     * Calls the completion with the outcome.
     *
     * @param result the descriptor, of which it takes ownership, or {@code -errno}.
     */
    void complete(final int result) {
        if (result >= 0) {
            completion.onOpened(OwnedFd.of(result));
        } else {
            completion.onFailed(-result);
        }
        onDone.accept(this);
    }

    /** Calls the completion because the mount has ended first. */
    void cancel() {
        completion.onFailed(Errno.EIO);
    }
}
