/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.socket;

import io.vsockproxy.loop.EventLoop;
import io.vsockproxy.loop.Registration;
import io.vsockproxy.loop.Timer;
import io.vsockproxy.posix.Constants;
import io.vsockproxy.posix.DescriptorReserve;
import io.vsockproxy.posix.Errno;
import io.vsockproxy.posix.OwnedFd;
import io.vsockproxy.posix.Syscalls;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;

/**
 * A listening socket that accepts connections unless it is paused, one for each readiness event.
 *
 * <p>Owns the socket. When the process is out of descriptors (EMFILE) it stops accepting and tries again every 100 ms;
 * connections wait in the kernel's backlog meanwhile. One that was accepted on a reserved descriptor is parked here, as
 * if it were in the backlog too, until there is another descriptor for it. Confined to the loop's thread.
 */
public final class SocketListener implements AutoCloseable {
    private static final Logger LOGGER = System.getLogger(SocketListener.class.getName());
    private static final long RETRY_NS = TimeUnit.MILLISECONDS.toNanos(100);

    private final EventLoop loop;
    private final OwnedFd socket;
    private final String name;
    private final Consumer<OwnedFd> acceptor;
    private final Registration registration;
    private final DescriptorReserve reserve;
    private final Timer retry = new Timer(this::retry);
    /** An accepted connection on a reserved descriptor, during which nothing else is accepted; or null. */
    private OwnedFd parked;
    private boolean resumed;
    /** Whether the current failure to accept has been logged. */
    private boolean failing;

    /**
     * @param socket   a listening, O_NONBLOCK socket. Takes ownership.
     * @param name     for the log.
     * @param reserve  the descriptor numbers that must not be kept.
     * @param acceptor is given each accepted socket, and takes ownership of it.
     */
    public SocketListener(
        final EventLoop loop,
        final OwnedFd socket,
        final String name,
        final DescriptorReserve reserve,
        final Consumer<OwnedFd> acceptor) {
        this.loop = loop;
        this.socket = socket;
        this.name = name;
        this.reserve = reserve;
        this.acceptor = acceptor;
        this.registration = loop.register(socket.fd(), 0, events -> accept());
    }

    /** Accepts from now on. */
    public void resume() {
        resumed = true;
        if (parked != null && !retry.isScheduled()) {
            loop.schedule(retry, 0);
        }
        update();
    }

    /** Leaves new connections in the backlog from now on. */
    public void pause() {
        resumed = false;
        update();
    }

    /** How many descriptors this holds open. */
    public int descriptorCount() {
        return parked == null ? 1 : 2;
    }

    @Override
    public void close() {
        loop.cancel(retry);
        registration.cancel();
        socket.close();
        if (parked != null) {
            parked.close();
        }
    }

    private void update() {
        registration.interest(resumed && parked == null && !retry.isScheduled() ? Constants.EPOLLIN : 0);
    }

    private void accept() {
        if ((registration.interest() & Constants.EPOLLIN) == 0) {
            // Paused by an earlier event of this turn.
            return;
        }
        final int result = Syscalls.accept4(socket.fd(), 0, 0, Constants.SOCK_CLOEXEC | Constants.SOCK_NONBLOCK);
        if (result >= 0 && reserve.isSpare(result)) {
            parked = OwnedFd.of(result);
            pauseFor(Errno.EMFILE);
        } else if (result >= 0) {
            accepted(OwnedFd.of(result));
        } else if (result != -Errno.EAGAIN && result != -Errno.ECONNABORTED) {
            pauseFor(-result);
        }
    }

    private void pauseFor(final int errno) {
        LOGGER.log(failing ? Level.DEBUG : Level.WARNING, "{0}: accept: {1}; trying again every {2} ms",
            name, Errno.name(errno), TimeUnit.NANOSECONDS.toMillis(RETRY_NS));
        failing = true;
        loop.schedule(retry, RETRY_NS);
        update();
    }

    private void accepted(final OwnedFd connection) {
        failing = false;
        acceptor.accept(connection);
    }

    private void retry() {
        if (parked != null && resumed) {
            final int better = reserve.keep(Syscalls.fcntl(parked.fd(), Constants.F_DUPFD_CLOEXEC, 0));
            if (better >= 0) {
                final OwnedFd accepted = OwnedFd.of(better);
                parked.close();
                parked = null;
                accepted(accepted);
            } else {
                loop.schedule(retry, RETRY_NS);
            }
        }
        update();
    }
}
