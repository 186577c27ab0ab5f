/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.socket;

import io.vsockproxy.loop.EventLoop;
import io.vsockproxy.loop.Registration;
import io.vsockproxy.loop.Timer;
import io.vsockproxy.posix.Constants;
import io.vsockproxy.posix.Errno;
import io.vsockproxy.posix.OwnedFd;
import io.vsockproxy.posix.PosixException;
import io.vsockproxy.posix.SocketAddress;
import io.vsockproxy.posix.SocketOptions;
import io.vsockproxy.posix.Syscalls;
import java.util.concurrent.TimeUnit;
import java.util.function.IntPredicate;

/**
 * One attempt to connect a socket, that never waits on the loop.
 *
 * <p>AF_VSOCK answers EINPROGRESS and becomes writable. AF_UNIX connects at once or not at all: a full backlog is
 * EAGAIN, with no event when there is room, so it is tried again until the time is up: after 5 ms, then each time after
 * twice as long, and every 100 ms at last, as there may be a thousand of them that wait for one listener.
 */
public final class SocketConnector implements AutoCloseable {
    private static final long FIRST_RETRY_NS = TimeUnit.MILLISECONDS.toNanos(5);
    private static final long LAST_RETRY_NS = TimeUnit.MILLISECONDS.toNanos(100);

    /** Is told the outcome, once. */
    public interface Completion {
        /** Connected; takes ownership. */
        void onConnected(OwnedFd socket);

        /** Not connected. */
        void onFailed(int errno);
    }

    private final EventLoop loop;
    private final SocketAddress address;
    private final long deadlineNs;
    private final Completion completion;
    private final Timer timer = new Timer(this::onTimer);
    private long retryNs = FIRST_RETRY_NS;
    private OwnedFd socket;
    private Registration registration;

    private SocketConnector(
        final EventLoop loop,
        final OwnedFd socket,
        final SocketAddress address,
        final long timeoutNs,
        final Completion completion) {
        this.loop = loop;
        this.socket = socket;
        this.address = address;
        this.deadlineNs = System.nanoTime() + timeoutNs;
        this.completion = completion;
    }

    /**
     * Begins to connect a new stream socket; {@code completion} may be called before this returns.
     *
     * @param family    AF_UNIX or AF_VSOCK.
     * @param address   must stay open until the completion was told, or the attempt was closed.
     * @param timeoutNs after which the attempt fails with ETIMEDOUT.
     * @param configurer sets the new socket's options, or answers false if it may not be used, which is EMFILE;
     *                   borrows it.
     * @return the attempt; null when the completion has been told already.
     */
    public static SocketConnector connect(
        final EventLoop loop,
        final int family,
        final SocketAddress address,
        final long timeoutNs,
        final IntPredicate configurer,
        final Completion completion) {
        final int fd = Syscalls.socket(
            family, Constants.SOCK_STREAM | Constants.SOCK_CLOEXEC | Constants.SOCK_NONBLOCK, 0);
        if (fd < 0) {
            completion.onFailed(-fd);
            return null;
        }
        final OwnedFd socket = OwnedFd.of(fd);
        final int result = configurer.test(fd) ? address.connect(fd) : -Errno.EMFILE;
        if (result == 0) {
            completion.onConnected(socket);
            return null;
        }
        if (!isUnderWay(result)) {
            socket.close();
            completion.onFailed(-result);
            return null;
        }
        final SocketConnector connector = new SocketConnector(loop, socket, address, timeoutNs, completion);
        return connector.wait(result) ? connector : null;
    }

    /** Gives up without a word to the completion. Idempotent, and without effect once it was told. */
    @Override
    public void close() {
        loop.cancel(timer);
        if (registration != null) {
            registration.cancel();
            registration = null;
        }
        if (socket != null) {
            socket.close();
            socket = null;
        }
    }

    private void attempt() {
        final int result = address.connect(socket.fd());
        if (result == 0) {
            succeed();
        } else if (isUnderWay(result)) {
            wait(result);
        } else {
            fail(-result);
        }
    }

    /**
     * Waits for what a call of connect has begun, or for when to try again.
     *
     * @return false when epoll cannot watch it (ENOSPC: fs.epoll.max_user_watches), which the completion has been told.
     */
    private boolean wait(final int result) {
        final long leftNs = Math.max(0, deadlineNs - System.nanoTime());
        if (result == -Errno.EAGAIN) {
            loop.schedule(timer, Math.min(retryNs, leftNs));
            retryNs = nextRetryNs(retryNs);
        } else {
            try {
                registration = loop.register(socket.fd(), Constants.EPOLLOUT, events -> onWritable());
            } catch (final PosixException e) {
                fail(e.errno());
                return false;
            }
            loop.schedule(timer, leftNs);
        }
        return true;
    }

    /** How long to wait after a wait of {@code lastNs} was not enough. */
    static long nextRetryNs(final long lastNs) {
        return Math.min(2 * lastNs, LAST_RETRY_NS);
    }

    private static boolean isUnderWay(final int result) {
        return result == -Errno.EINPROGRESS || result == -Errno.EINTR || result == -Errno.EAGAIN;
    }

    private void onTimer() {
        if (System.nanoTime() - deadlineNs >= 0) {
            fail(Errno.ETIMEDOUT);
        } else {
            attempt();
        }
    }

    private void onWritable() {
        final int error;
        try (SocketOptions options = new SocketOptions()) {
            error = Math.abs(options.get(socket.fd(), Constants.SO_ERROR));
        }
        if (error == 0) {
            succeed();
        } else {
            fail(error);
        }
    }

    private void succeed() {
        if (registration != null) {
            registration.cancel();
            registration = null;
        }
        final OwnedFd connected = socket;
        socket = null;
        close();
        completion.onConnected(connected);
    }

    private void fail(final int errno) {
        close();
        completion.onFailed(errno);
    }
}
