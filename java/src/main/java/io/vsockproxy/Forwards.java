/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy;

import io.vsockproxy.loop.EventLoop;
import io.vsockproxy.posix.DescriptorReserve;
import io.vsockproxy.posix.OwnedFd;
import io.vsockproxy.session.Session;
import io.vsockproxy.socket.SocketListener;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import org.agrona.CloseHelper;
import org.agrona.DirectBuffer;
import org.agrona.concurrent.UnsafeBuffer;

/**
 * The local sockets that stand for sockets of peers. A connection waits in its socket's backlog until the peer it is
 * meant for is connected. Confined to the loop's thread.
 */
final class Forwards implements AutoCloseable {
    private record ConnectedPeer(Session session, int cid) { }

    private final EventLoop loop;
    private final DescriptorReserve reserve;
    private final ArrayList<Forward> forwards = new ArrayList<>();
    /** One for each forward. */
    private final ArrayList<SocketListener> listeners = new ArrayList<>();
    /** In the order in which they connected. */
    private final ArrayList<ConnectedPeer> peers = new ArrayList<>();
    private boolean closing;

    /**
     * @param reserve spare descriptors that accepted connections may not use up.
     */
    Forwards(final EventLoop loop, final DescriptorReserve reserve) {
        this.loop = loop;
        this.reserve = reserve;
    }

    /**
     * Serves {@code forward}.
     *
     * @param socket the socket that listens on its local path. Takes ownership.
     */
    void add(final Forward forward, final OwnedFd socket) {
        final DirectBuffer remote = new UnsafeBuffer(forward.remote().getBytes(StandardCharsets.UTF_8));
        forwards.add(forward);
        listeners.add(new SocketListener(
            loop, socket, forward.toString(), reserve, accepted -> onAccepted(forward, accepted, remote)));
        update();
    }

    /**
     * A peer has connected: connections that wait for it are accepted from now on.
     *
     * @param cid the peer's CID; {@link Forward#LAST_PEER} when it has none.
     */
    void onConnected(final Session session, final int cid) {
        peers.add(new ConnectedPeer(session, cid));
        update();
    }

    /** A peer's session has ended. */
    void onEnded(final Session session) {
        peers.removeIf(peer -> peer.session == session);
        update();
    }

    /** Accepts no more connections. */
    void pause() {
        closing = true;
        update();
    }

    /** How many descriptors its listeners hold open. */
    int descriptorCount() {
        int count = 0;
        for (int i = 0; i < listeners.size(); i++) {
            count += listeners.get(i).descriptorCount();
        }
        return count;
    }

    @Override
    public void close() {
        closing = true;
        try {
            CloseHelper.closeAll(listeners);
        } finally {
            forwards.clear();
            listeners.clear();
        }
    }

    private void onAccepted(final Forward forward, final OwnedFd accepted, final DirectBuffer remote) {
        final Session session = peerOf(forward);
        if (session == null) {
            accepted.close();
        } else {
            session.forward(accepted, remote);
        }
    }

    private void update() {
        for (int i = 0; i < listeners.size(); i++) {
            if (!closing && peerOf(forwards.get(i)) != null) {
                listeners.get(i).resume();
            } else {
                listeners.get(i).pause();
            }
        }
    }

    /** The session that serves {@code forward}; null when that peer is not connected. */
    private Session peerOf(final Forward forward) {
        for (int i = peers.size() - 1; i >= 0; i--) {
            if (forward.cid() == Forward.LAST_PEER || forward.cid() == peers.get(i).cid) {
                return peers.get(i).session;
            }
        }
        return null;
    }
}
