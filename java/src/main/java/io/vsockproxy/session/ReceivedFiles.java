/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.session;

import io.vsockproxy.fuse.FuseMount;
import io.vsockproxy.fuse.OpenCompletion;
import io.vsockproxy.posix.Errno;
import io.vsockproxy.posix.OwnedFd;
import io.vsockproxy.stream.Delivery;
import io.vsockproxy.stream.Stream;

/**
 * A session's files of the other side, by handle, each of them a descriptor on the proxy's mount.
 */
final class ReceivedFiles {
    private final FuseMount mount;
    private final Session session;
    private final Outbox outbox;
    private final StreamTable streams;
    private final RemoteFiles remote;
    private final HandleTable<ReceivedFile> files = new HandleTable<>();
    private boolean waitingForRoom;

    /**
     * @param mount null where this proxy has none.
     */
    ReceivedFiles(
        final FuseMount mount,
        final Session session,
        final Outbox outbox,
        final StreamTable streams,
        final RemoteFiles remote) {
        this.mount = mount;
        this.session = session;
        this.outbox = outbox;
        this.streams = streams;
        this.remote = remote;
    }

    /** Whether files can be received. */
    boolean isAvailable() {
        return mount != null && mount.isServed();
    }

    int size() {
        return files.size();
    }

    boolean contains(final long handle) {
        return files.get(handle) != null;
    }

    ReceivedFile get(final long handle) {
        return files.get(handle);
    }

    /** Registers a file that the other side has passed; {@link #open} comes next, or {@link #forget}. */
    void add(final long handle) {
        files.put(handle, new ReceivedFile(this, remote, handle));
    }

    /** Opens the file and supplies its descriptor; if that fails, {@code stream}, which waits for it, is closed. */
    void open(
        final ReceivedFile file, final int flags, final Delivery delivery, final int index, final Stream stream) {
        mount.open(file, flags, new OpenCompletion() {
            @Override
            public void onOpened(final OwnedFd descriptor) {
                if (delivery.isAbandoned()) {
                    mount.dispose(descriptor);
                } else {
                    delivery.supply(index, descriptor);
                }
            }

            @Override
            public void onFailed(final int errno) {
                session.guarded(
                    () -> streams.fail(stream, "a file could not be opened: " + Errno.name(errno)));
                stream.close();
            }
        });
    }

    /** Takes back a file that was added but will not be opened; the caller tells the owner. */
    void forget(final long handle) {
        files.remove(handle);
    }

    /** The owner has closed the file: true when there was one of that handle. */
    boolean onClosedByOwner(final long handle) {
        final ReceivedFile file = files.remove(handle);
        if (file == null) {
            return false;
        }
        file.orphan();
        return true;
    }

    /** The last descriptor of a file is closed. */
    void onReleased(final ReceivedFile file) {
        if (!file.isOrphaned() && files.remove(file.handle()) != null) {
            session.guarded(() -> outbox.sendClose(file.handle()));
        }
    }

    /** A write found no room on the link. */
    void waitForRoom() {
        waitingForRoom = true;
        outbox.wantRoom();
    }

    /** There is room on the link again. */
    void onRoom() {
        if (waitingForRoom) {
            waitingForRoom = false;
            mount.resume();
        }
    }

    /** The session is over. */
    void close() {
        files.forEach(ReceivedFile::orphan);
        files.clear();
        onRoom();
    }
}
