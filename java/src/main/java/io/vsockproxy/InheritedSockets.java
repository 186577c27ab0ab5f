/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy;

import io.vsockproxy.posix.Constants;
import io.vsockproxy.posix.OwnedFd;
import io.vsockproxy.posix.SocketName;
import io.vsockproxy.posix.SocketOptions;
import io.vsockproxy.posix.StatusFlags;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Listening sockets that were handed to this proxy ready made (socket activation). Each is used where the proxy would
 * otherwise create one for the same address. Owns those that have not been taken.
 */
final class InheritedSockets implements AutoCloseable {
    private final Map<LinkAddress, OwnedFd> byAddress = new HashMap<>();

    /**
     * Takes ownership of the context's listening sockets, even when it throws.
     *
     * @throws IllegalArgumentException when one is not a listening AF_UNIX or AF_VSOCK stream socket, or its address is
     *                                  none of this proxy's, so that nobody would ever serve it.
     */
    InheritedSockets(final VsockProxy.Context context) {
        final List<OwnedFd> sockets = context.listeningSockets();
        final Set<LinkAddress> addresses = listeningAddresses(context);
        try {
            for (final OwnedFd socket : sockets) {
                final LinkAddress address = addressOf(socket.fd());
                if (!addresses.contains(address) || byAddress.containsKey(address)) {
                    throw new IllegalArgumentException("passed a listening socket for " + address
                        + ", which does not match exactly one of this proxy's addresses " + addresses);
                }
                // So that accept(2) does not block when a pending connection has gone away again.
                StatusFlags.setNonBlocking(socket.fd());
                byAddress.put(address, socket);
            }
        } catch (final RuntimeException e) {
            sockets.forEach(OwnedFd::close);
            throw e;
        }
    }

    /** The socket that listens on {@code address}, of which ownership passes to the caller; or null. */
    OwnedFd take(final LinkAddress address) {
        return byAddress.remove(address);
    }

    @Override
    public void close() {
        byAddress.values().forEach(OwnedFd::close);
        byAddress.clear();
    }

    /** All addresses that the proxy will listen on. */
    private static Set<LinkAddress> listeningAddresses(final VsockProxy.Context context) {
        final Set<LinkAddress> addresses = new HashSet<>();
        if (context.role() == Role.HOST) {
            addresses.add(context.address());
            if (context.descriptorSocket() != null) {
                addresses.add(LinkAddress.unix(context.descriptorSocket()));
            }
        }
        context.forwards().forEach(forward -> addresses.add(LinkAddress.unix(forward.local())));
        return addresses;
    }

    private static LinkAddress addressOf(final int fd) {
        final SocketName name = SocketName.local(fd);
        try (SocketOptions options = new SocketOptions()) {
            final boolean listens = options.get(fd, Constants.SO_ACCEPTCONN) == 1
                && options.get(fd, Constants.SO_TYPE) == Constants.SOCK_STREAM;
            if (listens && name.family() == Constants.AF_VSOCK) {
                return LinkAddress.vsock(name.cid(), name.port());
            }
            if (listens && name.path() != null) {
                return LinkAddress.unix(name.path());
            }
        }
        throw new IllegalArgumentException("descriptor " + fd
            + ", passed to be listened on, is not a listening stream socket with a vsock port or a path: " + name);
    }
}
