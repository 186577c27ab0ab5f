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
 * One attempt to connect a socket, without ever blocking the loop.
 *
 * <p>An AF_VSOCK socket returns EINPROGRESS and becomes writable once connected. An AF_UNIX socket connects at once or
 * not at all: a full backlog is EAGAIN, and no event tells when there is room again, so connecting is retried until the
 * timeout, first after 5 ms and then at intervals that double up to 100 ms, since a thousand sockets may wait for the
 * same listener. Confined to the loop's thread.
 */
public final class SocketConnector implements AutoCloseable {
    private static final long FIRST_RETRY_NS = TimeUnit.MILLISECONDS.toNanos(5);
    private static final long LAST_RETRY_NS = TimeUnit.MILLISECONDS.toNanos(100);

    /** Called with the outcome, once. */
    public interface Completion {
        /** The socket is connected. Takes ownership. */
        void onConnected(OwnedFd socket);

        /** The attempt failed. */
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
     * @param address   borrowed: must stay open until the completion has been called or the attempt closed.
     * @param timeoutNs after how many ns the attempt fails with ETIMEDOUT.
     * @param configurer borrows the new descriptor and sets its options. Returns false if it must not be used, because
     *                   it is a reserved number; the attempt then fails with EMFILE.
     * @return the attempt; null when the completion has been called already.
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

    /** Gives up without calling the completion. Idempotent, and without effect once that has been called. */
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
     * Waits until the connection that connect(2) has begun is made, or until it is time to try again.
     *
     * @return false when epoll cannot watch the socket (ENOSPC: fs.epoll.max_user_watches); the completion has then
     *     been called.
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

    /** The next interval between attempts, after one of {@code lastNs}. */
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
