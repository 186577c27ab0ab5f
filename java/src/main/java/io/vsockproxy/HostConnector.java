/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy;

import io.vsockproxy.link.LinkSockets;
import io.vsockproxy.loop.EventLoop;
import io.vsockproxy.loop.Timer;
import io.vsockproxy.posix.Errno;
import io.vsockproxy.posix.OwnedFd;
import io.vsockproxy.posix.SocketAddress;
import io.vsockproxy.socket.SocketConnector;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.function.IntConsumer;
import org.agrona.CloseHelper;

/**
 * A guest's connection to its host: makes it, and makes it anew whenever it has failed or been lost, at intervals that
 * double from {@value #MIN_RECONNECT_MS} ms to {@value #MAX_RECONNECT_MS} ms. Confined to the loop's thread.
 */
final class HostConnector implements AutoCloseable {
    private static final Logger LOGGER = System.getLogger(HostConnector.class.getName());
    private static final long MIN_RECONNECT_MS = 20;
    private static final long MAX_RECONNECT_MS = 1000;
    private static final long MIN_RECONNECT_NS = TimeUnit.MILLISECONDS.toNanos(MIN_RECONNECT_MS);
    private static final long MAX_RECONNECT_NS = TimeUnit.MILLISECONDS.toNanos(MAX_RECONNECT_MS);
    private static final long CONNECT_TIMEOUT_NS = TimeUnit.SECONDS.toNanos(10);

    private final EventLoop loop;
    private final LinkAddress address;
    private final SocketAddress socketAddress;
    private final IntConsumer configurer;
    private final Consumer<OwnedFd> onLink;
    private final Timer reconnect = new Timer(this::connect);
    /** The attempt under way, or the last one; null when that had its outcome at once. */
    private SocketConnector attempt;
    private long delayNs = MIN_RECONNECT_NS;
    private long connectedNs;
    /** Whether the last attempt failed, which has been logged. */
    private boolean failing;
    private boolean stopped;

    /**
     * @param configurer sets the options of each new socket, whose descriptor it borrows.
     * @param onLink     is given each connection, and takes ownership of it.
     */
    HostConnector(
        final EventLoop loop,
        final LinkAddress address,
        final IntConsumer configurer,
        final Consumer<OwnedFd> onLink) {
        this.loop = loop;
        this.address = address;
        this.configurer = configurer;
        this.onLink = onLink;
        socketAddress = LinkSockets.address(address.path(), address.cid(), address.port());
    }

    /** Begins to connect; {@code onLink} may be called before this returns. */
    void connect() {
        attempt = SocketConnector.connect(
            loop, LinkSockets.family(address.isUnix()), socketAddress, CONNECT_TIMEOUT_NS,
            this::configure,
            new SocketConnector.Completion() {
                @Override
                public void onConnected(final OwnedFd socket) {
                    connectedNs = loop.nowNs();
                    failing = false;
                    onLink.accept(socket);
                }

                @Override
                public void onFailed(final int errno) {
                    LOGGER.log(failing ? Level.DEBUG : Level.INFO,
                        "{0}: {1}; retrying", address, Errno.name(errno));
                    failing = true;
                    scheduleReconnect();
                }
            });
    }

    /** The connection has been lost: makes it anew after the present delay, unless stopped. */
    void onLinkLost() {
        // Only a link that has lasted resets the delay: a host that refuses this guest accepts and closes at once, and
        // must not be asked all the time.
        if (loop.nowNs() - connectedNs > MAX_RECONNECT_NS) {
            delayNs = MIN_RECONNECT_NS;
        }
        scheduleReconnect();
    }

    /** Does not reconnect any more. */
    void stop() {
        stopped = true;
        loop.cancel(reconnect);
    }

    @Override
    public void close() {
        stop();
        CloseHelper.closeAll(attempt, socketAddress);
    }

    private void scheduleReconnect() {
        if (!stopped) {
            loop.schedule(reconnect, delayNs);
            delayNs = Math.min(delayNs * 2, MAX_RECONNECT_NS);
        }
    }

    /** Always true: unlike an application's connection, the link may use one of the reserved descriptors. */
    private boolean configure(final int fd) {
        configurer.accept(fd);
        return true;
    }
}
