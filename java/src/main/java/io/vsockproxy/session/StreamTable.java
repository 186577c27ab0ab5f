/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.session;

import io.vsockproxy.channel.ChannelHandler;
import io.vsockproxy.loop.EndOfTurnTask;
import io.vsockproxy.loop.Timer;
import io.vsockproxy.posix.Errno;
import io.vsockproxy.posix.OwnedFd;
import io.vsockproxy.posix.PosixException;
import io.vsockproxy.stream.ChannelStream;
import io.vsockproxy.stream.Origin;
import io.vsockproxy.stream.PipeStream;
import io.vsockproxy.stream.SocketStream;
import io.vsockproxy.stream.Stream;
import io.vsockproxy.stream.StreamHandler;
import io.vsockproxy.stream.StreamKind;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.util.ArrayList;
import java.util.concurrent.TimeUnit;

/**
 * A session's streams by handle, those that only wait for their readers to finish, and the timeouts of readers.
 * Confined to the loop's thread.
 */
final class StreamTable {
    private static final Logger LOGGER = System.getLogger(Session.class.getName());
    private static final long CHECK_INTERVAL_NS = TimeUnit.MILLISECONDS.toNanos(250);

    private final SessionResources resources;
    private final Session session;
    private final StreamHandler handler;
    private final Inbox inbox;
    private final Outbox outbox;
    private final SessionCounters counters;
    private final String sessionName;
    private final HandleTable<Stream> streams = new HandleTable<>();
    private final ArrayList<Stream> finishing = new ArrayList<>();
    private final Timer patience = new Timer(this::checkPatience);
    private final EndOfTurnTask unblock;
    private long queuedBytes;
    private int queuedDescriptors;
    private long blockedSinceNs;
    /** Whether one stalled stream has been closed since the link was blocked. */
    private boolean oneHasGone;
    private boolean detached;
    private PeerExtension extension;

    StreamTable(
        final SessionResources resources,
        final Session session,
        final Inbox inbox,
        final Outbox outbox,
        final SessionCounters counters,
        final String sessionName) {
        this.resources = resources;
        this.session = session;
        this.handler = session;
        this.inbox = inbox;
        this.outbox = outbox;
        this.counters = counters;
        this.sessionName = sessionName;
        unblock = new EndOfTurnTask() {
            @Override
            protected void run() {
                if (!session.hasEnded()) {
                    session.onUnblock();
                }
            }
        };
    }

    /** Must be called once, before the first stream is opened. */
    void extension(final PeerExtension newExtension) {
        extension = newExtension;
    }

    int size() {
        return streams.size();
    }

    long queuedBytes() {
        return queuedBytes;
    }

    int queuedDescriptors() {
        return queuedDescriptors;
    }

    Stream get(final long handle) {
        return streams.get(handle);
    }

    /** Whether the peer knows the stream by its handle: neither side has closed it. */
    boolean contains(final Stream stream) {
        return streams.get(stream.handle()) == stream;
    }

    /**
     * Creates a stream for a descriptor and begins to read it. Takes ownership of the descriptor.
     *
     * @return the stream; null when epoll cannot watch the descriptor (ENOSPC, ENOMEM), which is then closed.
     */
    Stream open(final StreamKind kind, final long handle, final OwnedFd descriptor, final Origin origin) {
        final int readLength = resources.limits().readLength();
        final Stream stream = kind == StreamKind.PIPE_READER || kind == StreamKind.PIPE_WRITER
            ? new PipeStream(
                resources.loop(), kind, handle, descriptor, readLength, resources.commons(), handler)
            : new SocketStream(
                resources.loop(), kind, handle, descriptor, origin, readLength, resources.commons(), handler);
        stream.credit(extension.newCredit(kind));
        try {
            stream.start();
        } catch (final PosixException e) {
            warn(stream + ": " + e.getMessage());
            stream.close();
            return null;
        }
        streams.put(handle, stream);
        return stream;
    }

    /**
     * Creates a stream for a component. When the connection is made, the caller must call {@link
     * ChannelStream#connected}.
     *
     * @param component null when the stream is still to be taken by a component.
     */
    ChannelStream openChannel(final long handle, final ChannelHandler component) {
        final ChannelStream stream = new ChannelStream(
            resources.loop(), handle, session.peer(), component, resources.commons(), resources.channels(), handler);
        stream.credit(extension.newCredit(StreamKind.CHANNEL));
        stream.start();
        streams.put(handle, stream);
        return stream;
    }

    /** The application has closed its end, or the stream has failed: tells the peer. */
    void endedLocally(final Stream stream, final int errno) {
        stream.endReason(errno);
        if (!forget(stream)) {
            stream.close();
            return;
        }
        if (errno == 0) {
            // It may only have shut down its sending side: what waits for it is still delivered.
            finish(stream);
        } else {
            LOGGER.log(Level.DEBUG, "{0}: {1}: {2}", sessionName, stream, Errno.name(errno));
            stream.close();
        }
        if (detached) {
            return;
        }
        if (errno == Errno.EMFILE) {
            counters.truncatedControlData++;
        }
        if (errno != 0) {
            counters.resetsOut++;
        }
        if (errno != 0 && extension.isAgreed()) {
            outbox.sendReset(stream.handle(), errno);
        } else {
            outbox.sendClose(stream.handle());
        }
    }

    /** Closes a stream on both sides, because something that concerns it alone cannot be done. */
    void fail(final Stream stream, final String reason) {
        warn(stream + " closed: " + reason);
        final boolean isKnown = forget(stream);
        // Closed first: sending throws when the peer has left no room, and nobody would close it after that.
        stream.close();
        if (isKnown) {
            outbox.sendClose(stream.handle());
        }
    }

    /** The peer has closed the stream, with an errno or 0. What was received before is still delivered. */
    void closedByPeer(final Stream stream, final int reason) {
        stream.endReason(reason);
        forget(stream);
        finish(stream);
    }

    /** Removes a stream that the peer does not know yet. */
    void discard(final long handle) {
        final Stream stream = streams.get(handle);
        if (stream != null) {
            forget(stream);
            stream.close();
        }
    }

    /** The session has ended: every stream ends as soon as its reader has taken what was received for it. */
    void finishAll() {
        detached = true;
        streams.forEach(this::finish);
        streams.clear();
    }

    /**
     * Ends the input of each stream from which nothing is left to be read.
     *
     * @return whether these were all streams.
     */
    boolean endIdleInputs() {
        boolean idle = true;
        // Ending a stream's input may end the stream.
        final ArrayList<Stream> all = new ArrayList<>(streams.size());
        streams.forEach(all::add);
        for (final Stream stream : all) {
            if (stream.hasInput()) {
                idle = false;
            } else {
                stream.endInput();
            }
        }
        return idle;
    }

    /** Whether there are no streams, and none that waits for its reader. */
    boolean isSettled() {
        finishing.removeIf(Stream::isClosed);
        return streams.size() == 0 && finishing.isEmpty();
    }

    void closeAll() {
        finishAll();
        finishing.forEach(Stream::close);
        finishing.clear();
        resources.loop().cancel(patience);
    }

    /** Fewer bytes and descriptors wait for readers (negative: more). */
    void onQueueShrunk(final int length, final int descriptors) {
        queuedBytes -= length;
        queuedDescriptors -= descriptors;
        if (length > 0 && inbox.isBlocked()) {
            resources.loop().atEndOfTurn(unblock);
        }
    }

    void onBlocked() {
        oneHasGone = false;
        blockedSinceNs = resources.loop().nowNs();
        startPatience();
    }

    /**
     * Removes a stream, if it is in the table. One that the peer has closed and that waits for its reader is not, and
     * its handle may name another by now.
     */
    private boolean forget(final Stream stream) {
        final boolean isKnown = streams.remove(stream.handle(), stream);
        if (isKnown) {
            extension.onForgotten(stream);
        }
        return isKnown;
    }

    private void finish(final Stream stream) {
        stream.finish();
        if (stream.isFinishing()) {
            finishing.add(stream);
            startPatience();
        }
    }

    private void warn(final String text) {
        resources.log().log(Level.WARNING, sessionName + ": " + text, resources.loop().nowNs());
    }

    private void startPatience() {
        if (!patience.isScheduled()) {
            resources.loop().schedule(patience, CHECK_INTERVAL_NS);
        }
    }

    private void checkPatience() {
        final long nowNs = resources.loop().nowNs();
        final long lingerNs = resources.limits().lingerTimeoutNs();
        finishing.removeIf(Stream::isClosed);
        for (int i = 0; i < finishing.size(); i++) {
            final Stream stream = finishing.get(i);
            if (nowNs - stream.stalledSinceNs() >= lingerNs) {
                warn(stream + " closed with " + stream.queueLength() + " bytes that its reader did not take in "
                    + TimeUnit.NANOSECONDS.toMillis(lingerNs) + " ms");
                stream.close();
            }
        }
        if (inbox.isBlocked() && !detached && nowNs - blockedSinceNs >= resources.limits().stallTimeoutNs()) {
            session.guarded(() -> closeStalled(nowNs));
        }
        if (!finishing.isEmpty() || (inbox.isBlocked() && !detached)) {
            startPatience();
        }
    }

    private void closeStalled(final long nowNs) {
        final ArrayList<Stream> stalled = new ArrayList<>();
        if (inbox.isBlockedByOne()) {
            // A stream over its own limit holds the link up by itself, even if others have been slow for longer.
            stalled.add(inbox.blockedBy());
        } else {
            streams.forEach(stalled::add);
        }
        final long timeoutNs = resources.limits().stallTimeoutNs();
        stalled.removeIf(stream -> stream.queueLength() == 0 || nowNs - stream.stalledSinceNs() < timeoutNs);
        if (stalled.isEmpty()) {
            return;
        }
        // Last those that have only descriptors left which no byte has followed: no reader could take them.
        stalled.sort((one, other) -> one.isQueueDelivered() == other.isQueueDelivered()
            ? Long.signum(one.stalledSinceNs() - other.stalledSinceNs())
            : Boolean.compare(one.isQueueDelivered(), other.isQueueDelivered()));
        // At first only one is closed, and the others get as much time again. If that was not enough, as many as needed
        // are closed: one at a time, they would hold up everyone who does read for many timeouts.
        final int count = oneHasGone ? stalled.size() : 1;
        blockedSinceNs = nowNs;
        oneHasGone = true;
        for (int i = 0; i < count && !inbox.hasRoom(); i++) {
            final Stream stream = stalled.get(i);
            counters.stalledStreams++;
            fail(stream, "its reader has taken nothing for "
                + TimeUnit.NANOSECONDS.toMillis(nowNs - stream.stalledSinceNs()) + " ms and "
                + stream.queueLength() + " bytes wait");
        }
    }
}
