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
import io.vsockproxy.posix.Syscalls;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;

/**
 * A listening socket that accepts while it is let, one connection per readiness.
 *
 * <p>Owns the socket. Out of descriptors (EMFILE) it pauses, and looks again after 100 ms: the connections
 * wait in the kernel's backlog meanwhile.
 */
public final class SocketListener implements AutoCloseable {
    private static final Logger LOGGER = System.getLogger(SocketListener.class.getName());
    private static final long RETRY_NS = TimeUnit.MILLISECONDS.toNanos(100);

    private final EventLoop loop;
    private final OwnedFd socket;
    private final String name;
    private final Consumer<OwnedFd> acceptor;
    private final Registration registration;
    private final Timer retry = new Timer(this::update);
    private boolean resumed;

    /**
     * @param socket   listens, and does not block. Takes ownership.
     * @param name     for the log.
     * @param acceptor takes ownership of each accepted socket.
     */
    public SocketListener(
        final EventLoop loop, final OwnedFd socket, final String name, final Consumer<OwnedFd> acceptor) {
        this.loop = loop;
        this.socket = socket;
        this.name = name;
        this.acceptor = acceptor;
        this.registration = loop.register(socket.fd(), 0, events -> accept());
    }

    /** Accepts from now on. */
    public void resume() {
        resumed = true;
        update();
    }

    /** Leaves new connections in the backlog from now on. */
    public void pause() {
        resumed = false;
        update();
    }

    @Override
    public void close() {
        loop.cancel(retry);
        registration.cancel();
        socket.close();
    }

    private void update() {
        registration.interest(resumed && !retry.isScheduled() ? Constants.EPOLLIN : 0);
    }

    private void accept() {
        final int result = Syscalls.accept4(socket.fd(), 0, 0, Constants.SOCK_CLOEXEC | Constants.SOCK_NONBLOCK);
        if (result >= 0) {
            acceptor.accept(OwnedFd.of(result));
        } else if (result != -Errno.EAGAIN && result != -Errno.ECONNABORTED) {
            LOGGER.log(Level.WARNING, "{0}: accept: {1}; trying again in {2} ms",
                name, Errno.name(-result), TimeUnit.NANOSECONDS.toMillis(RETRY_NS));
            loop.schedule(retry, RETRY_NS);
            update();
        }
    }
}
