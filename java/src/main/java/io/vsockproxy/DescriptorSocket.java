/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy;

import io.vsockproxy.link.DescriptorChannel;
import io.vsockproxy.loop.EventLoop;
import io.vsockproxy.loop.Timer;
import io.vsockproxy.posix.Constants;
import io.vsockproxy.posix.DescriptorReserve;
import io.vsockproxy.posix.Errno;
import io.vsockproxy.posix.OwnedFd;
import io.vsockproxy.posix.SocketAddress;
import io.vsockproxy.socket.SocketConnector;
import io.vsockproxy.socket.SocketListener;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.util.concurrent.TimeUnit;
import org.agrona.CloseHelper;

/**
 * Where the connections beside the links come from that carry descriptors: the host listens on a unix socket, to which
 * the guest connects whenever it has a new link.
 *
 * <p>Nothing says for which link a connection is meant, so a host with such a socket serves one guest at a time.
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
    /** Has been accepted before the link that it is meant for. */
    private OwnedFd waiting;
    private DescriptorChannel channel;
    private boolean failing;

    /**
     * @param listening takes ownership of it; null for the side that connects.
     * @param reserve   what accepted connections may not use up.
     * @param timeoutNs how long an entry in a frame may wait for its descriptor.
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

    /** The connection for a session that begins. */
    DescriptorChannel open(final String sessionName) {
        channel = new DescriptorChannel(loop, sessionName, timeoutNs);
        if (waiting != null) {
            channel.attach(waiting);
            waiting = null;
        } else if (listener == null) {
            CloseHelper.close(connector);
            failing = false;
            connect();
        }
        return channel;
    }

    /** Descriptors that it has. */
    int descriptorCount() {
        return (listener == null ? 0 : listener.descriptorCount()) + (waiting == null ? 0 : 1);
    }

    @Override
    public void close() {
        CloseHelper.closeAll(connector, listener, address, waiting);
        loop.cancel(reconnect);
    }

    private void onAccepted(final OwnedFd socket) {
        if (channel != null && channel.failure() == null && !channel.isAttached()) {
            channel.attach(socket);
        } else {
            // The guest has a new link, of which this side has not heard yet.
            CloseHelper.close(waiting);
            waiting = socket;
        }
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
                        "{0}: {1}; trying on", path, Errno.name(errno));
                    failing = true;
                    loop.schedule(reconnect, RECONNECT_NS);
                }
            });
    }
}
