/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy;

import io.vsockproxy.config.SocketAccess;
import io.vsockproxy.link.LinkSockets;
import io.vsockproxy.posix.OwnedFd;
import io.vsockproxy.posix.SocketAddress;
import io.vsockproxy.socket.UnixListeningSocket;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/**
 * Where a proxy's listening sockets come from: those that it was handed, and those that it makes, whose paths it
 * removes at its end. Confined to the loop's thread.
 */
final class ListeningSockets implements AutoCloseable {
    private static final Logger LOGGER = System.getLogger(ListeningSockets.class.getName());

    private final InheritedSockets inherited;
    private final long vsockBufferLength;
    private final SocketAccess access;
    private final Set<LinkAddress> taken = new HashSet<>();
    private final ArrayList<UnixListeningSocket> made = new ArrayList<>();

    /** Takes ownership of the context's listening sockets, and throws as {@link InheritedSockets}. */
    ListeningSockets(final VsockProxy.Context context) {
        inherited = new InheritedSockets(context);
        vsockBufferLength = context.vsockBufferLength();
        access = context.socketAccess();
    }

    /** A socket that listens on {@code address}, which the caller owns. */
    OwnedFd listen(final LinkAddress address) {
        final OwnedFd socket = inherited.take(address);
        if (socket != null) {
            // Whoever created it is responsible for its path and its permissions.
            taken.add(address);
            return socket;
        }
        if (!address.isUnix()) {
            return LinkSockets.listenVsock(address.cid(), address.port(), vsockBufferLength);
        }
        if (SocketAddress.isAbstract(address.path())) {
            LOGGER.log(Level.INFO, "{0}: every process in this network namespace may connect", address.path());
        }
        final UnixListeningSocket own = UnixListeningSocket.open(address.path(), access);
        made.add(own);
        return own.descriptor();
    }

    /** Whether the socket that listens on {@code address} belongs to whoever handed it over. */
    boolean isInherited(final LinkAddress address) {
        return taken.contains(address);
    }

    /**
     * Those made here whose paths are still to be removed, which must happen while the sockets still listen. Another
     * proxy replaces a socket that nobody listens on with its own, and once closed, its inode number may be reused: the
     * two could not be told apart.
     */
    List<UnixListeningSocket> made() {
        return made;
    }

    /** Removes the path of {@code address}, if it was made here. To be called while its socket still listens. */
    void remove(final LinkAddress address) {
        made.removeIf(socket -> {
            if (socket.path().equals(address.path())) {
                socket.remove();
                return true;
            }
            return false;
        });
    }

    @Override
    public void close() {
        inherited.close();
    }
}
