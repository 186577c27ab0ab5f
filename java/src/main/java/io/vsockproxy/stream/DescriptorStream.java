/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.stream;

import io.vsockproxy.loop.EventLoop;
import io.vsockproxy.loop.ReadinessHandler;
import io.vsockproxy.loop.Registration;
import io.vsockproxy.posix.Constants;
import io.vsockproxy.posix.Errno;
import io.vsockproxy.posix.OwnedFd;
import io.vsockproxy.posix.Syscalls;

/**
 * A local end that is a descriptor: read when it is readable, written when something arrives for it or it becomes
 * writable.
 *
 * <p>Owns its descriptor. Never changes the O_NONBLOCK flag of a descriptor that an application may share.
 */
abstract class DescriptorStream extends Stream implements ReadinessHandler {
    /** After one of these, more of the same may be left. */
    private static final int PROGRESS = Constants.EPOLLIN | Constants.EPOLLOUT | Constants.EPOLLRDHUP;

    final StreamCommons commons;
    OwnedFd descriptor;
    Registration registration;
    boolean waitsForRetry;

    DescriptorStream(
        final EventLoop loop,
        final StreamKind kind,
        final long handle,
        final OwnedFd descriptor,
        final StreamCommons commons,
        final StreamHandler handler) {
        super(loop, kind, handle, commons.pool(), handler);
        this.commons = commons;
        this.descriptor = descriptor;
        commons.addLive(kind, 1);
    }

    @Override
    public void start() {
        registration = loop.register(descriptor.fd(), readInterest(), this);
    }

    @Override
    public void readAtOnce() {
        onReady(readInterest());
    }

    @Override
    public boolean hasInput() {
        return readInterest() != 0 && !hasReadEnded() && commons.unreadBytes(descriptor.fd()) > 0;
    }

    /** The events that say that it can be read; 0 for a descriptor that is only written. */
    abstract int readInterest();

    /** Reads once. */
    abstract void read(int events);

    /**
     * Writes from the queue until it is empty or the descriptor takes no more. Returns false when the stream has ended
     * instead.
     */
    abstract boolean drain();

    @Override
    final void wantReading(final boolean wanted) {
        if (wanted) {
            final boolean resumes = (registration.interest() & readInterest()) == 0;
            registration.enable(readInterest());
            if (resumes) {
                onReadingResumed();
            }
        } else {
            registration.disable(readInterest());
        }
    }

    /** Called when reading resumes after a pause. */
    void onReadingResumed() {
        // Usually epoll reports what there is.
    }

    @Override
    final void wantDraining(final boolean wanted) {
        if (wanted) {
            registration.enable(Constants.EPOLLOUT);
        } else {
            registration.disable(Constants.EPOLLOUT);
        }
    }

    @Override
    final void endOutput() {
        Syscalls.shutdown(descriptor.fd(), Constants.SHUT_WR);
    }

    @Override
    final void release() {
        if (registration != null) {
            if (isOnlyCopy()) {
                registration.end();
            } else {
                registration.cancel();
            }
        }
        closeDescriptor();
        commons.addLive(kind(), -1);
    }

    /** Whether it is certain that no other descriptor refers to the same open file description. */
    boolean isOnlyCopy() {
        return false;
    }

    /** Closes the descriptor, or has it closed soon. */
    void closeDescriptor() {
        descriptor.close();
    }

    /** Whether {@code events}, on an end that is not being read, say that nobody reads there any more. */
    boolean hasLostReader(final int events) {
        return false;
    }

    /**
     * Whether the last drain stopped for another reason than that the descriptor takes no more, so that epoll will not
     * tell when to go on.
     */
    boolean isHeldUp() {
        return false;
    }

    /**
     * Whether EPOLLERR may say no more than that messages wait in the socket's error queue. They are the application's,
     * whether or not it takes them.
     */
    boolean hasErrorQueue() {
        return false;
    }

    /** Called when EPOLLHUP is among the events. */
    void onHangUp() {
        // Reading and writing find out.
    }

    /** Called when a write end has no readers any more. */
    void onReaderGone() {
        close();
    }

    @Override
    public final void onReady(final int events) {
        try {
            dispatch(events);
            if (registration.isEdgeTriggered() && (events & PROGRESS) != 0) {
                registration.rearm();
            }
        } catch (final RuntimeException e) {
            // A fault of this program. Unless the stream ended, unhandled readiness would be reported for ever.
            end(Errno.EIO);
            throw e;
        }
    }

    private void dispatch(final int events) {
        if ((events & Constants.EPOLLHUP) != 0) {
            onHangUp();
        }
        if ((events & Constants.EPOLLERR) != 0 && hasErrorQueue()) {
            registration.edgeTriggered();
        }
        // A full socket whose other end is shut down reports EPOLLHUP only; an attempt to send tells the reason.
        final boolean drains = (registration.interest() & Constants.EPOLLOUT) != 0
            && (events & (Constants.EPOLLOUT | Constants.EPOLLHUP)) != 0;
        if (drains && !queue.isEmpty() && !drainQueue()) {
            return;
        }
        if (hasReadEnded() && ((events & Constants.EPOLLHUP) != 0
            || ((events & Constants.EPOLLERR) != 0 && !hasErrorQueue()))) {
            // Both directions have ended: the application has closed its end.
            end(0);
            return;
        }
        final int wanted = registration.interest() & readInterest();
        if (wanted != 0 && (events & (wanted | Constants.EPOLLHUP | Constants.EPOLLERR)) != 0) {
            read(events);
        } else if ((events & Constants.EPOLLERR) != 0 && readInterest() == 0) {
            onReaderGone();
        } else if (isOpen() && hasLostReader(events)) {
            // What it has sent will be read when there is room; but nothing need be written to it any more.
            stopWriting(false);
        }
    }

    private boolean drainQueue() {
        if (!drain()) {
            return false;
        }
        if (isDrained()) {
            return onDrained();
        }
        if (isHeldUp()) {
            wantDraining(false);
            commons.drainRetries().add(this);
        } else if (!queue.isFirstReady()) {
            wantDraining(false);
        }
        return true;
    }
}
