/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.fuse;

import io.vsockproxy.loop.EventLoop;
import io.vsockproxy.posix.Constants;
import io.vsockproxy.posix.Errno;
import io.vsockproxy.posix.OwnedFd;
import io.vsockproxy.posix.Paths;
import io.vsockproxy.posix.Syscalls;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Consumer;

/**
 * One open(2) of a file of the mount, done by a worker: the loop would wait for its own answer to the LOOKUP.
 *
 * <p>The result passes between the two threads under this object's lock; whoever comes second after a cancellation
 * closes the descriptor, and a cancelled one never touches the loop again.
 */
final class PendingOpen {
    private static final long RETRY_NS = 100_000;

    private final EventLoop loop;
    private final FuseNode node;
    private final String path;
    private final int flags;
    private final OpenCompletion completion;
    private final Consumer<PendingOpen> onDone;
    private boolean cancelled;
    private OwnedFd opened;
    private int errno;

    /**
     * @param onDone is called on the loop's thread when the worker has come back.
     */
    PendingOpen(
        final EventLoop loop,
        final FuseNode node,
        final String path,
        final int flags,
        final OpenCompletion completion,
        final Consumer<PendingOpen> onDone) {
        this.loop = loop;
        this.node = node;
        this.path = path;
        this.flags = flags;
        this.completion = completion;
        this.onDone = onDone;
    }

    FuseNode node() {
        return node;
    }

    /** On a worker. */
    void run() {
        if (isCancelled()) {
            return;
        }
        final int result = Paths.open(path, flags | Constants.O_CLOEXEC | Constants.O_NOFOLLOW);
        if (result >= 0) {
            flushOnce(result);
        }
        while (!deliver(result)) {
            LockSupport.parkNanos(RETRY_NS);
        }
        if (result >= 0 && !isCancelled()) {
            forgetName();
        }
    }

    /** On the loop: tells what came of it. */
    void complete() {
        final OwnedFd descriptor = take();
        if (descriptor != null) {
            completion.onOpened(descriptor);
        } else {
            completion.onFailed(errno);
        }
    }

    /** On the loop: the mount ends, whatever the worker is doing. */
    void cancel() {
        final OwnedFd descriptor = markCancelled();
        if (descriptor != null) {
            // Nobody serves it any more, so that this does not wait.
            descriptor.close();
        }
        completion.onFailed(Errno.EIO);
    }

    /** On the loop: no worker would do it. */
    void fail(final int failure) {
        errno = failure;
        complete();
    }

    /**
     * Looks the name up once more, in vain. The kernel, which would keep an entry for it until memory runs short, drops
     * it then, and forgets the file when it is closed.
     */
    private void forgetName() {
        final int fd = Paths.open(path, Constants.O_PATH | Constants.O_NOFOLLOW | Constants.O_CLOEXEC);
        if (fd >= 0) {
            Syscalls.close(fd);
        }
    }

    /**
     * Closes a copy. Before Linux 5.16, which has FOPEN_NOFLUSH, the first close(2) asks whether anything has to be
     * flushed; it must not be one of the loop's, which would wait for itself.
     */
    private static void flushOnce(final int fd) {
        final int copy = Syscalls.fcntl(fd, Constants.F_DUPFD_CLOEXEC, 0);
        if (copy >= 0) {
            Syscalls.close(copy);
        }
    }

    private synchronized boolean isCancelled() {
        return cancelled;
    }

    private synchronized OwnedFd take() {
        final OwnedFd descriptor = opened;
        opened = null;
        return descriptor;
    }

    private synchronized OwnedFd markCancelled() {
        cancelled = true;
        return take();
    }

    private synchronized boolean deliver(final int result) {
        if (cancelled) {
            if (result >= 0) {
                OwnedFd.of(result).close();
            }
            return true;
        }
        opened = result >= 0 ? OwnedFd.of(result) : null;
        errno = result >= 0 ? 0 : -result;
        if (loop.execute(this::done)) {
            return true;
        }
        opened = null;
        return false;
    }

    private void done() {
        if (!isCancelled()) {
            onDone.accept(this);
        }
    }
}
