/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy;

import io.vsockproxy.link.DescriptorChannel;
import io.vsockproxy.loop.EventLoop;
import io.vsockproxy.loop.Registration;
import io.vsockproxy.loop.Timer;
import io.vsockproxy.posix.Constants;
import io.vsockproxy.posix.DescriptorReserve;
import io.vsockproxy.posix.Errno;
import io.vsockproxy.posix.OwnedFd;
import io.vsockproxy.posix.PosixException;
import io.vsockproxy.posix.SocketAddress;
import io.vsockproxy.posix.Syscalls;
import io.vsockproxy.socket.SocketConnector;
import io.vsockproxy.socket.SocketListener;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.util.concurrent.TimeUnit;
import org.agrona.CloseHelper;

/**
 * Makes the connections that carry descriptors beside the links: the host listens on a unix socket, to which the guest
 * connects whenever it has a new link.
 *
 * <p>Nothing tells which link a connection belongs to, so a host with such a socket serves one guest at a time.
 * Confined to the loop's thread.
 */
final class DescriptorSocket implements AutoCloseable {
    private static final Logger LOGGER = System.getLogger(DescriptorSocket.class.getName());
    private static final long CONNECT_TIMEOUT_NS = TimeUnit.SECONDS.toNanos(10);
    private static final long RECONNECT_NS = TimeUnit.SECONDS.toNanos(1);

    private final EventLoop loop;
    private final String path;
    private final long timeoutNs;
    private final SocketListener listener;
    private final SocketAddress address;
    private final Timer reconnect = new Timer(this::connect);
    private SocketConnector connector;
    /** A connection that was accepted before the link it belongs to; or null. */
    private OwnedFd waiting;
    /** Tells when the guest gives that connection up, which nobody else would notice. */
    private Registration waitingEnd;
    private DescriptorChannel channel;
    private boolean failing;

    /**
     * @param listening the host's listening socket, of which it takes ownership; null on the side that connects.
     * @param reserve   spare descriptors that accepted connections may not use up.
     * @param timeoutNs how long an entry in a frame may wait for its descriptor, in ns.
     */
    DescriptorSocket(
        final EventLoop loop,
        final String path,
        final OwnedFd listening,
        final DescriptorReserve reserve,
        final long timeoutNs) {
        this.loop = loop;
        this.path = path;
        this.timeoutNs = timeoutNs;
        if (listening != null) {
            address = null;
            listener = new SocketListener(loop, listening, path, reserve, this::onAccepted);
            listener.resume();
        } else {
            address = SocketAddress.unix(path);
            listener = null;
        }
    }

    /** The connection for a new session, which owns it. It may get its socket later. */
    DescriptorChannel open(final String sessionName) {
        channel = new DescriptorChannel(loop, sessionName, timeoutNs);
        if (isAbandoned()) {
            dropWaiting();
        }
        if (waiting != null) {
            final OwnedFd socket = waiting;
            stopWatching();
            waiting = null;
            channel.attach(socket);
        } else if (listener == null) {
            CloseHelper.close(connector);
            failing = false;
            connect();
        }
        return channel;
    }

    /** How many descriptors it holds open. */
    int descriptorCount() {
        return (listener == null ? 0 : listener.descriptorCount()) + (waiting == null ? 0 : 1);
    }

    @Override
    public void close() {
        CloseHelper.closeAll(connector, listener, address);
        dropWaiting();
        loop.cancel(reconnect);
    }

    private void onAccepted(final OwnedFd socket) {
        if (channel != null && channel.failure() == null && !channel.isAttached()) {
            channel.attach(socket);
        } else {
            // The guest already has a new link, which this side has yet to accept.
            dropWaiting();
            waiting = socket;
            watchWaiting();
        }
    }

    private void watchWaiting() {
        try {
            waitingEnd = loop.register(waiting.fd(), Constants.EPOLLRDHUP, events -> dropWaiting());
        } catch (final PosixException e) {
            LOGGER.log(Level.WARNING, "{0}: {1}", path, e.getMessage());
            dropWaiting();
        }
    }

    /** Whether the guest has given up the waiting connection, even if this turn has yet to tell. */
    private boolean isAbandoned() {
        return waiting != null
            && (Syscalls.poll(waiting.fd(), Constants.EPOLLRDHUP) & (Constants.EPOLLRDHUP | Constants.EPOLLHUP)) != 0;
    }

    private void stopWatching() {
        if (waitingEnd != null) {
            waitingEnd.cancel();
            waitingEnd = null;
        }
    }

    private void dropWaiting() {
        stopWatching();
        CloseHelper.close(waiting);
        waiting = null;
    }

    private void connect() {
        final DescriptorChannel target = channel;
        if (target.failure() != null) {
            return;
        }
        loop.cancel(reconnect);
        connector = SocketConnector.connect(
            loop, Constants.AF_UNIX, address, CONNECT_TIMEOUT_NS, fd -> true,
            new SocketConnector.Completion() {
                @Override
                public void onConnected(final OwnedFd socket) {
                    target.attach(socket);
                }

                @Override
                public void onFailed(final int errno) {
                    LOGGER.log(failing ? Level.DEBUG : Level.WARNING,
                        "{0}: {1}; retrying", path, Errno.name(errno));
                    failing = true;
                    loop.schedule(reconnect, RECONNECT_NS);
                }
            });
    }
}
