/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.session;

import io.vsockproxy.fuse.FileBackend;
import io.vsockproxy.fuse.FuseMount;
import io.vsockproxy.fuse.FuseRequest;
import io.vsockproxy.fuse.OpenCompletion;
import io.vsockproxy.loop.EventLoop;
import io.vsockproxy.loop.Timer;
import io.vsockproxy.posix.Errno;
import io.vsockproxy.posix.OwnedFd;
import io.vsockproxy.posix.Syscalls;
import io.vsockproxy.stream.ChannelCommons;
import io.vsockproxy.stream.Delivery;
import io.vsockproxy.stream.Stream;
import io.vsockproxy.wire.Notice;
import java.util.ArrayList;
import java.util.concurrent.TimeUnit;

/**
 * The files of the other side that a session has received, by handle. Each is either a file on the proxy's mount or a
 * channel component's. Confined to the loop's thread.
 */
final class ReceivedFiles {
    /** Long enough for an owner to answer a request for a file's attributes while the link is being read. */
    private static final long ANSWER_NS = TimeUnit.MILLISECONDS.toNanos(100);

    private static final int SEEK_SET = 0;

    /** After this time a write that was refused is tried again; after twice that if it is refused again, and so on. */
    private static final long MIN_RETRY_NS = TimeUnit.MILLISECONDS.toNanos(10);
    private static final long MAX_RETRY_NS = TimeUnit.MILLISECONDS.toNanos(640);

    private final FuseMount mount;
    private final Session session;
    private final Outbox outbox;
    private final StreamTable streams;
    private final PeerExtension extension;
    private final RemoteFileRequests remote;
    private final ChannelCommons channels;
    private final HandleTable<PeerFile> files = new HandleTable<>();
    private final ArrayList<FileBackend> openings = new ArrayList<>();
    private final EventLoop loop;
    private final Timer openTimer = new Timer(this::openUnexamined);
    private final Timer retryTimer = new Timer(this::retry);
    private final WriteWindow ownWrites = new WriteWindow(WriteWindow.OWN_LENGTH);
    private final WriteWindow writeBacks = new WriteWindow(WriteWindow.WRITE_BACK_LENGTH);
    private final int maxWaits;
    private int waits;
    private long retryNs = MIN_RETRY_NS;
    private boolean waitingForRoom;

    ReceivedFiles(
        final SessionResources resources,
        final Session session,
        final Outbox outbox,
        final StreamTable streams,
        final PeerExtension extension,
        final RemoteFileRequests remote) {
        this.mount = resources.mount();
        this.channels = resources.channels();
        // The other half is left for requests that do not wait for a FIFO.
        this.maxWaits = Math.max(1, resources.limits().maxPendingFileRequests() / 2);
        this.loop = resources.loop();
        this.session = session;
        this.outbox = outbox;
        this.streams = streams;
        this.extension = extension;
        this.remote = remote;
    }

    /** Whether files can be received for an application. */
    boolean isAvailable() {
        return mount != null && mount.isServed();
    }

    int size() {
        return files.size();
    }

    boolean contains(final long handle) {
        return files.get(handle) != null;
    }

    /** Registers a file that was passed to an application. Must be followed by {@link #open} or {@link #forget}. */
    void add(final long handle) {
        files.put(handle, new ReceivedFile(this, remote, handle));
    }

    /** As {@link #add}, for a FIFO that is open for reading and writing. */
    void addFifo(final long handle) {
        files.put(handle, new ReceivedFifo(this, remote, handle));
    }

    /** Registers a file that was passed to a channel. */
    void addForChannel(final long handle, final int statusFlags) {
        files.put(handle, new ChannelFile(this, remote, channels, handle, statusFlags));
    }

    /** The file that {@link #addForChannel} has registered. */
    ChannelFile forChannel(final long handle) {
        return (ChannelFile) files.get(handle);
    }

    /**
     * Opens the file on the mount and supplies its descriptor to {@code delivery}. If that fails, {@code stream}, in
     * whose queue the delivery waits, is closed.
     *
     * @param position the file position of the descriptor that was passed, in bytes, which the new one gets too.
     */
    void open(
        final long handle, final int flags, final long position, final Delivery delivery, final int index,
        final Stream stream) {
        final FileBackend file = (FileBackend) files.get(handle);
        openings.add(file);
        mount.open(file, flags, new OpenCompletion() {
            @Override
            public void onOpened(final OwnedFd descriptor) {
                openings.remove(file);
                if (position > 0 && !file.isStream()) {
                    // Nobody else has this descriptor yet, so lseek does not wait.
                    Syscalls.lseek(descriptor.fd(), position, SEEK_SET);
                }
                if (delivery.isAbandoned()) {
                    mount.dispose(descriptor);
                } else {
                    delivery.supply(index, descriptor);
                }
            }

            @Override
            public void onFailed(final int errno) {
                openings.remove(file);
                session.guarded(
                    () -> streams.fail(stream, "a file could not be opened: " + Errno.name(errno)));
                stream.close();
            }
        });
    }

    /**
     * The link is no longer read, because too much waits for local readers. If that lasts, files that are being opened
     * no longer wait for their attributes: the answer is behind what is not read, and the slow reader may be waiting
     * for just this file, or for what came with it.
     */
    void onBlocked() {
        if (!openings.isEmpty() && !openTimer.isScheduled()) {
            loop.schedule(openTimer, ANSWER_NS);
        }
    }

    private void openUnexamined() {
        if (session.isBlocked()) {
            for (int i = 0; i < openings.size(); i++) {
                mount.openUnexamined(openings.get(i));
            }
        }
    }

    /** Removes a file that was added but will not be opened. The caller must tell the owner. */
    void forget(final long handle) {
        files.remove(handle);
    }

    /** The owner has closed the file. Returns whether there was one with that handle. */
    boolean onClosedByOwner(final long handle) {
        final PeerFile file = files.remove(handle);
        if (file == null) {
            return false;
        }
        file.orphan();
        return true;
    }

    /** The file is no longer used here. */
    void onReleased(final PeerFile file) {
        if (!file.isOrphaned() && files.remove(file.handle()) != null) {
            remote.closeFile(file.handle());
        }
    }

    // ---- For FIFOs

    /** Whether these are the files of session {@code other}. */
    boolean isOf(final Session other) {
        return session == other;
    }

    /** Whether one more request that may wait for long can be made. */
    boolean mayWait() {
        return waits < maxWaits && !session.hasEnded();
    }

    void beginWait() {
        waits++;
    }

    void endWait() {
        waits--;
    }

    /** Asks the owner whether a FIFO can be read or written. */
    void sendWatch(final long handle, final long token, final int events, final boolean wakes) {
        extension.sendFifoNotice(Notice.WATCH, handle, token, wakes ? events | Notice.WAKE : events);
    }

    /** Asks the owner to answer a request soon. */
    void sendCancel(final long cookie) {
        extension.sendFifoNotice(Notice.CANCEL, cookie, 0, 0);
    }

    /** Makes whoever polls through {@code waker} look again. */
    void wake(final long waker) {
        mount.wake(waker);
    }

    /** The owner of a FIFO reports whether it can be read or written. */
    void onReady(final long handle, final long token, final int events) {
        if (files.get(handle) instanceof ReceivedFifo fifo) {
            fifo.onReady(token, events);
        }
    }

    // ---- Writes that wait

    /** The window that a write through the mount counts towards. Writes that wait for another one do not hold it up. */
    WriteWindow windowOf(final FuseRequest write) {
        return write.isWriteBack() ? writeBacks : ownWrites;
    }

    /** A write found no room on the link: the mount resumes when there is some. */
    void waitForRoom() {
        waitingForRoom = true;
        outbox.wantRoom();
    }

    /** A write found its window closed: the mount resumes when another write has been answered. */
    void waitForAnswer() {
        waitingForRoom = true;
    }

    /** A write has been refused: the mount also resumes after some time. */
    void waitForRetry() {
        waitingForRoom = true;
        if (!retryTimer.isScheduled() && !session.hasEnded()) {
            loop.schedule(retryTimer, retryNs);
            retryNs = Math.min(2 * retryNs, MAX_RETRY_NS);
        }
    }

    /** A write to one of the files has been answered. */
    void onWriteAnswered(final long written) {
        if (written > 0) {
            retryNs = MIN_RETRY_NS;
        }
        onRoom();
    }

    /** There may be room for writes again: on the link, or in a window. */
    void onRoom() {
        if (waitingForRoom) {
            waitingForRoom = false;
            mount.resume();
        }
    }

    private void retry() {
        writeBacks.probe();
        onRoom();
    }

    /** The session is over. */
    void close() {
        loop.cancel(openTimer);
        loop.cancel(retryTimer);
        files.forEach(PeerFile::orphan);
        files.clear();
        onRoom();
    }
}
