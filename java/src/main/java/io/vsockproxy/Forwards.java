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
 * The sockets that stand for sockets of peers. A connection waits in its socket's backlog until there is the peer that
 * it is meant for. Loop's thread only.
 */
final class Forwards implements AutoCloseable {
    private record Peer(Session session, int cid) { }

    private final EventLoop loop;
    private final DescriptorReserve reserve;
    private final ArrayList<Forward> forwards = new ArrayList<>();
    /** One for each forward. */
    private final ArrayList<SocketListener> listeners = new ArrayList<>();
    /** In the order in which they came. */
    private final ArrayList<Peer> peers = new ArrayList<>();
    private boolean closing;

    /**
     * @param reserve descriptors that connections may not use up.
     */
    Forwards(final EventLoop loop, final DescriptorReserve reserve) {
        this.loop = loop;
        this.reserve = reserve;
    }

    /**
     * Serves {@code forward}.
     *
     * @param socket listens on its local path. Takes ownership.
     */
    void add(final Forward forward, final OwnedFd socket) {
        final DirectBuffer remote = new UnsafeBuffer(forward.remote().getBytes(StandardCharsets.UTF_8));
        forwards.add(forward);
        listeners.add(new SocketListener(
            loop, socket, forward.toString(), reserve, accepted -> onAccepted(forward, accepted, remote)));
        update();
    }

    /**
     * A peer has come.
     *
     * @param cid where it is; {@link Forward#LAST_PEER} when it has none.
     */
    void onConnected(final Session session, final int cid) {
        peers.add(new Peer(session, cid));
        update();
    }

    /** A peer has gone. */
    void onEnded(final Session session) {
        peers.removeIf(peer -> peer.session == session);
        update();
    }

    /** Accepts nothing more. */
    void pause() {
        closing = true;
        update();
    }

    /** Descriptors that it has. */
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
        CloseHelper.closeAll(listeners);
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

    /** Null when it is not there. */
    private Session peerOf(final Forward forward) {
        for (int i = peers.size() - 1; i >= 0; i--) {
            if (forward.cid() == Forward.LAST_PEER || forward.cid() == peers.get(i).cid) {
                return peers.get(i).session;
            }
        }
        return null;
    }
}
