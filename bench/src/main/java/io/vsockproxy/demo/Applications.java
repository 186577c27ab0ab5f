/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.demo;

import io.vsockproxy.config.SocketAccess;
import io.vsockproxy.posix.Constants;
import io.vsockproxy.posix.OwnedFd;
import io.vsockproxy.posix.PosixException;
import io.vsockproxy.posix.SocketAddress;
import io.vsockproxy.posix.Syscalls;
import io.vsockproxy.socket.UnixListeningSocket;
import java.nio.file.Path;

/**
 * The application on the host, which listens, and the one on the guest, which connects to the guest proxy's socket as
 * if it were the host application's.
 */
public final class Applications implements AutoCloseable {
    private final UnixListeningSocket listening;
    private final String hostPath;
    private final String guestPath;

    /** Both ends of one connection. */
    public record Ends(Channel guest, Channel host) implements AutoCloseable {
        @Override
        public void close() {
            guest.close();
            host.close();
        }
    }

    /**
     * @param hostSocket  to listen on.
     * @param guestSocket the guest proxy's, once that runs.
     */
    public Applications(final Path hostSocket, final Path guestSocket) {
        hostPath = hostSocket.toString();
        guestPath = guestSocket.toString();
        listening = UnixListeningSocket.open(hostPath, SocketAccess.DEFAULT);
        // Applications wait in accept(2); the socket is made for an event loop.
        Syscalls.fcntl(listening.descriptor().fd(), Constants.F_SETFL, 0);
    }

    /** A connection through the proxies. */
    public Ends connect() {
        return new Ends(connectGuest(), accept());
    }

    /** The same without them. */
    public Ends connectDirectly() {
        return new Ends(connectHost(), accept());
    }

    /** The guest's end alone. */
    Channel connectGuest() {
        return connect(guestPath);
    }

    /** Connects to the host's application without proxies, and leaves the other end to {@link #accept}. */
    Channel connectHost() {
        return connect(hostPath);
    }

    /** The host's end of the next connection. */
    Channel accept() {
        return new Channel(OwnedFd.of(PosixException.check(
            Syscalls.accept4(listening.descriptor().fd(), 0, 0, Constants.SOCK_CLOEXEC), "accept")));
    }

    @Override
    public void close() {
        listening.descriptor().close();
        listening.remove();
    }

    /** A connection to whatever listens on {@code path}. */
    static Channel connect(final String path) {
        final OwnedFd socket = OwnedFd.of(PosixException.check(
            Syscalls.socket(Constants.AF_UNIX, Constants.SOCK_STREAM | Constants.SOCK_CLOEXEC, 0), "socket"));
        try (SocketAddress address = SocketAddress.unix(path)) {
            PosixException.check(address.connect(socket.fd()), "connect to " + path);
        }
        return new Channel(socket);
    }
}
