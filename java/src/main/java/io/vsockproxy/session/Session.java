/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.session;

import io.vsockproxy.channel.Peer;
import io.vsockproxy.config.SessionLimits;
import io.vsockproxy.counters.CounterId;
import io.vsockproxy.counters.CounterValues;
import io.vsockproxy.link.DescriptorChannel;
import io.vsockproxy.link.Link;
import io.vsockproxy.link.LinkHandler;
import io.vsockproxy.loop.EndOfTurnTask;
import io.vsockproxy.loop.Timer;
import io.vsockproxy.posix.ControlData;
import io.vsockproxy.posix.Errno;
import io.vsockproxy.posix.OwnedFd;
import io.vsockproxy.posix.Parts;
import io.vsockproxy.posix.PosixException;
import io.vsockproxy.posix.SplicePipe;
import io.vsockproxy.stream.Stream;
import io.vsockproxy.stream.StreamHandler;
import io.vsockproxy.stream.WaitingStreams;
import io.vsockproxy.wire.Command;
import io.vsockproxy.wire.MalformedMessageException;
import io.vsockproxy.wire.MessageDecoder;
import java.util.function.BiConsumer;
import org.agrona.DirectBuffer;

/**
 * One peer, from the connection to its end. Confined to the loop's thread.
 *
 * <p>A bad message of the peer ends this session and no other; a failure of a local stream ends that stream and no
 * other. When the session ends, everything it owns is closed, except that readers who have not yet taken what was
 * delivered to them get {@link SessionLimits#lingerTimeoutNs} to do so.
 */
public final class Session implements LinkHandler, StreamHandler {
    private final SessionResources resources;
    private final String name;
    private final BiConsumer<Session, String> endListener;
    private final SessionCounters counters = new SessionCounters();
    private final Link link;
    private final DescriptorChannel descriptorChannel;
    private final Outbox outbox;
    private final Inbox inbox;
    private final StreamTable streams;
    private final PeerExtension extension;
    private final OwnFiles files;
    private final Connects connects;
    private final Peer peer;
    private final RemoteFileRequests fileRequests;
    private final ReceivedFiles receivedFiles;
    private final DescriptorExport export;
    private final DescriptorImport imports;
    private final WaitingStreams waitingForRoom = new WaitingStreams();
    private final Heartbeat heartbeat;
    private final EndOfTurnTask tearDown;
    private long lastHandle;
    private final Timer lastWords = new Timer(() -> end("the peer closed the connection, and accepts nothing more"));
    private boolean inputEnded;
    private boolean draining;
    private boolean ended;

    /**
     * @param allowedPaths       the unix sockets that the peer may ask to be connected to. Borrowed.
     * @param name               for the log.
     * @param socket             the connection to the peer. Takes ownership.
     * @param carriesDescriptors whether the link carries descriptors itself: the socket is AF_UNIX, and nothing lies
     *                           between it and the peer.
     * @param descriptorChannel  carries descriptors beside a link that does not; or null. Takes ownership.
     * @param endListener        called once, when the session has ended, with the reason.
     * @throws PosixException when there is no memory for it; what it took ownership of is then closed.
     */
    public Session(
        final SessionResources resources,
        final AllowedPaths allowedPaths,
        final String name,
        final OwnedFd socket,
        final boolean carriesDescriptors,
        final DescriptorChannel descriptorChannel,
        final BiConsumer<Session, String> endListener) {
        this.resources = resources;
        this.name = name;
        this.descriptorChannel = descriptorChannel;
        this.endListener = endListener;
        final SessionLimits limits = resources.limits();
        try (Parts parts = new Parts()) {
            parts.add(socket);
            parts.add(descriptorChannel);
            link = resources.openLink(parts, socket, carriesDescriptors, this);
            outbox = new Outbox(link, counters, resources.loop().everSpins());
            inbox = new Inbox(this, resources.loop(), link, limits);
            streams = new StreamTable(resources, this, inbox, outbox, counters, name);
            extension = new PeerExtension(
                this, resources.extensions(), outbox, streams, limits.maxSessionQueueLength() / 2,
                resources.mount() != null);
            streams.extension(extension);
            files = new OwnFiles(resources, this, outbox, streams, extension);
            connects = new Connects(resources, allowedPaths, this, outbox, streams, extension, counters);
            peer = new SessionPeer(this, connects, resources.channels());
            fileRequests = new RemoteFileRequests(
                this, inbox, outbox, limits, resources.loop(), counters, extension::isAgreed);
            receivedFiles = new ReceivedFiles(resources, this, outbox, streams, extension, fileRequests);
            extension.files(files, receivedFiles);
            export = new DescriptorExport(
                resources, this, streams, files, extension, link.carriesDescriptors(), descriptorChannel);
            imports = new DescriptorImport(
                resources, this, streams, files, receivedFiles, extension, link.descriptors(), descriptorChannel);
            heartbeat = new Heartbeat(resources, this, link, inbox, extension);
            parts.keep();
        }
        tearDown = new EndOfTurnTask() {
            @Override
            protected void run() {
                tearDown();
            }
        };
    }

    /**
     * Begins to read the link.
     *
     * @throws PosixException when epoll cannot watch it (ENOSPC, ENOMEM); everything is then closed, and the end
     *                        listener is not called.
     */
    public void start() {
        try {
            link.start();
        } catch (final PosixException e) {
            ended = true;
            tearDown();
            throw e;
        }
        extension.greet();
        heartbeat.start();
    }

    /** For the log. */
    public String name() {
        return name;
    }

    /** The peer as components see it. */
    public Peer peer() {
        return peer;
    }

    /** Whether the session has ended. */
    public boolean hasEnded() {
        return ended;
    }

    /** Whether the session has ended and nothing waits for its local readers any more. */
    public boolean isSettled() {
        return link.isClosed() && streams.isSettled();
    }

    /** Counts of what has happened in this session. */
    public SessionCounters counters() {
        return counters;
    }

    /** Adds this session's current values and counts. */
    public void addTo(final CounterValues values) {
        counters.addTo(values);
        values.add(CounterId.QUEUED_BYTES, streams.queuedBytes());
        values.add(CounterId.QUEUED_DESCRIPTORS, streams.queuedDescriptors());
        if (!link.isClosed()) {
            values.add(CounterId.SESSIONS, 1);
            values.add(CounterId.LINK_DESCRIPTORS, link.descriptorCount());
            values.add(CounterId.STREAM_HANDLES, streams.size());
            files.addTo(values);
            values.add(CounterId.REMOTE_FILE_HANDLES, receivedFiles.size());
            values.add(CounterId.CONNECT_DESCRIPTORS, connects.descriptorCount());
            values.add(CounterId.RECEIVED_DESCRIPTORS, link.descriptors().size());
            values.add(CounterId.OUTGOING_DESCRIPTORS, link.outbound().descriptorCount());
            values.add(CounterId.OUTGOING_BYTES, link.outbound().pendingBytes());
            values.add(CounterId.BLOCKED_SESSIONS, inbox.isBlocked() ? 1 : 0);
            if (descriptorChannel != null) {
                values.add(CounterId.BESIDE_DESCRIPTORS, descriptorChannel.descriptorCount());
            }
        }
    }

    /** How many handles are in use, for streams and files. */
    public int handleCount() {
        return streams.size() + files.size() + receivedFiles.size();
    }

    /** Requests about files of the other side. */
    RemoteFileRequests fileRequests() {
        return fileRequests;
    }

    /**
     * Connects an accepted local connection to a unix socket of the other side.
     *
     * @param accepted   the connection, O_NONBLOCK. Takes ownership; it is closed when the other side refuses.
     * @param remotePath the path, in UTF-8: the whole buffer. Must not change until the session ends.
     */
    public void forward(final OwnedFd accepted, final DirectBuffer remotePath) {
        try {
            connects.request(accepted, remotePath);
        } catch (final ProtocolException e) {
            end(e.getMessage());
        }
    }

    /** The unix sockets that the peer may ask to be connected to. */
    public AllowedPaths allowedPaths() {
        return connects.allowedPaths();
    }

    /** Ends the session, at the end of this turn of the loop. Idempotent. */
    public void end(final String reason) {
        if (!ended) {
            ended = true;
            // More may arrive in this turn, for which there may be no room, since frames are no longer walked.
            link.pauseReading();
            endListener.accept(this, reason);
            // Not now: a frame in the inbound buffer may still be in use up the stack.
            resources.loop().atEndOfTurn(tearDown);
        }
    }

    /**
     * Brings the session to an orderly end: what applications have written so far is sent, then the peer is told that
     * no more will come, and what it still sends is delivered; when the peer closes, the session ends. To be called
     * again after each turn until {@link #hasEnded}.
     */
    public void drain() {
        connects.refuseMore();
        if (!ended && !draining) {
            guarded(() -> {
                if (connects.isIdle() && streams.endIdleInputs() && files.isIdle()
                    && (descriptorChannel == null || descriptorChannel.isIdle())) {
                    draining = true;
                    link.endOutput();
                }
            });
        }
    }

    /** Ends the session and closes everything at once, without giving readers time to catch up. */
    public void close() {
        end("closed");
        tearDown();
        streams.closeAll();
    }

    // ---- What the link tells

    @Override
    public void onReceived() {
        walk(false);
    }

    @Override
    public int spliceableLength() {
        return ended ? 0 : inbox.spliceableLength();
    }

    @Override
    public void onSpliced(final SplicePipe pipe, final int length) {
        try {
            inbox.onSpliced(pipe, length);
        } catch (final RuntimeException e) {
            end("frame " + inbox.frameNumber() + ": " + e);
            throw e;
        }
    }

    @Override
    public void onPipeFull(final SplicePipe pipe) {
        inbox.onPipeFull(pipe);
    }

    @Override
    public int receiveLength() {
        return inbox.receiveLength();
    }

    @Override
    public void onRoom() {
        waitingForRoom.resumeReading();
        files.onRoom();
        fileRequests.onRoom();
        receivedFiles.onRoom();
    }

    @Override
    public void onInputEnded() {
        // What has been read from applications is still sent, but nothing more is read, or this would never end.
        inputEnded = true;
        resources.loop().schedule(lastWords, resources.limits().lingerTimeoutNs());
    }

    @Override
    public void onEnded(final int errno) {
        final int unread = link.inbound().available();
        end((errno == 0 ? "the peer closed the connection" : "the connection failed: " + Errno.name(errno))
            + (unread > 0 ? ", inside a frame of which " + unread + " bytes had come"
                : counters.framesIn == 0 ? ", and had sent nothing" : ""));
    }

    // ---- What a stream tells

    @Override
    public int claim(final Stream stream, final int minimum, final int maximum) {
        final int room = ended || inputEnded ? 0 : outbox.claimBlob(minimum, maximum, stream.carriesDescriptors());
        if (room == 0) {
            waitingForRoom.add(stream);
        }
        return room;
    }

    @Override
    public long claimedAddress() {
        return outbox.blobAddress();
    }

    @Override
    public boolean takesSplices() {
        return link.outboundPipe() != null;
    }

    @Override
    public SplicePipe claimPipe(final Stream stream, final int length) {
        if (!ended && !inputEnded && outbox.claimSpliced(stream.handle(), length, link.outboundPipe())) {
            return link.outboundPipe();
        }
        waitingForRoom.add(stream);
        return null;
    }

    @Override
    public void commitPipe(final Stream stream, final int length) {
        outbox.sendSpliced(stream.handle(), length, link.outboundPipe());
    }

    @Override
    public void commit(final Stream stream, final int length, final ControlData control) {
        try {
            if (control == null) {
                outbox.sendData(stream.handle(), length);
            } else {
                export.send(stream, length, control, outbox, counters);
            }
        } catch (final ProtocolException e) {
            end(e.getMessage());
        }
    }

    @Override
    public String obstacle(final ControlData control) {
        return export.findObstacle(control);
    }

    @Override
    public void abort() {
        outbox.abortBlob();
    }

    @Override
    public void onEnded(final Stream stream, final int errno) {
        try {
            streams.endedLocally(stream, errno);
        } catch (final ProtocolException e) {
            end(e.getMessage());
        }
    }

    @Override
    public void onEndOfFile(final Stream stream) {
        try {
            if (ended || !extension.halfClose(stream)) {
                streams.endedLocally(stream, 0);
            }
        } catch (final ProtocolException e) {
            end(e.getMessage());
        }
    }

    @Override
    public void onReaderGone(final Stream stream, final boolean shut) {
        if (streams.contains(stream)) {
            guarded(() -> extension.stopSending(stream, shut));
        }
    }

    @Override
    public void onTaken(final Stream stream, final long cost) {
        if (!ended) {
            try {
                extension.onTaken(stream, cost);
            } catch (final ProtocolException e) {
                end(e.getMessage());
            }
        }
    }

    @Override
    public void onQueueShrunk(final int length, final int descriptors) {
        streams.onQueueShrunk(length, descriptors);
    }

    // ---- What the peer says

    /** The stream to which Data for {@code handle} is to be delivered, or null. */
    Stream writableStream(final long handle) {
        final Stream stream = streams.get(handle);
        return stream != null && stream.isWritable() ? stream : null;
    }

    /**
     * A Data frame without descriptors begins. {@code stream} is null when there is none, or none any more, that can be
     * written.
     */
    void onDataFrame(final Stream stream) {
        counters.framesIn++;
        if (stream == null) {
            counters.unknownHandles++;
        }
    }

    /** Some or all bytes of that frame's blob. */
    void onData(final Stream stream, final DirectBuffer buffer, final int offset, final int length) {
        if (stream != null) {
            counters.bytesIn += length;
            stream.deliver(buffer, offset, length);
        }
    }

    /** As {@link #onData}, when the bytes are in a pipe. */
    void onData(final Stream stream, final SplicePipe pipe) {
        counters.bytesIn += pipe.length();
        stream.deliver(pipe);
    }

    /** Handles any message but a Data without descriptors. */
    void dispatch(final MessageDecoder message) {
        counters.framesIn++;
        switch (message.command()) {
            case Command.CLOSE -> onClose(message);
            case Command.DATA -> imports.onData(message, outbox, counters);
            case Command.CONNECT_REQUEST -> connects.onRequest(message);
            case Command.CONNECT_RESPONSE -> connects.onResponse(message);
            case Command.PREAD_REQUEST,
                Command.PWRITE_REQUEST,
                Command.FSTAT_REQUEST,
                Command.FTRUNCATE_REQUEST -> {
                files.onRequest(message);
            }
            case Command.PREAD_RESPONSE,
                Command.PWRITE_RESPONSE,
                Command.FSTAT_RESPONSE,
                Command.FTRUNCATE_RESPONSE -> {
                if (!fileRequests.onResponse(message)) {
                    counters.unaskedResponses++;
                }
            }
            default -> counters.unknownCommands++;
        }
    }

    /** Bytes that wait for local readers. */
    public long queuedBytes() {
        return streams.queuedBytes();
    }

    /** Descriptors that wait for local readers. */
    int queuedDescriptors() {
        return streams.queuedDescriptors();
    }

    /** The link is no longer read, because too much waits for local readers. */
    void onBlocked() {
        receivedFiles.onBlocked();
        streams.onBlocked();
    }

    /** Whether the link is not read because too much waits for local readers. */
    boolean isBlocked() {
        return inbox.isBlocked();
    }

    /** Local readers have taken something: goes on reading the link if there is room. */
    void onUnblock() {
        walk(true);
    }

    /** Runs {@code sending}, unless the session has ended. When the peer has left no room for it, the session ends. */
    void guarded(final Runnable sending) {
        if (ended) {
            return;
        }
        try {
            sending.run();
        } catch (final ProtocolException e) {
            end(e.getMessage());
        }
    }

    /** Assigns a new handle or cookie. */
    long newHandle() {
        lastHandle += resources.host() ? 1 : -1;
        return lastHandle;
    }

    /** Whether there may be {@code more} further handles. */
    boolean hasHandleRoom(final int more) {
        return handleCount() + more <= resources.limits().maxHandles();
    }

    /** Whether {@code handle} has the sign of those assigned by this side. */
    boolean isOwnHandle(final long handle) {
        return resources.host() ? handle > 0 : handle < 0;
    }

    /** Whether {@code handle} has the sign of those assigned by the peer, and is not in use. */
    boolean isNewPeerHandle(final long handle) {
        return (resources.host() ? handle < 0 : handle > 0) && streams.get(handle) == null
            && !receivedFiles.contains(handle);
    }

    private void walk(final boolean unblock) {
        try {
            if (unblock) {
                inbox.unblock();
            } else {
                inbox.walk();
            }
        } catch (final ProtocolException | MalformedMessageException e) {
            end("frame " + inbox.frameNumber() + ": " + e.getMessage());
        } catch (final RuntimeException e) {
            // A fault of this program. The bytes that led to it must not be walked again.
            end("frame " + inbox.frameNumber() + ": " + e);
            throw e;
        }
    }

    private void onClose(final MessageDecoder message) {
        final long handle = message.handle();
        if (handle == 0) {
            extension.onNotice(message, inbox.frameNumber() == 1);
            return;
        }
        final Stream stream = streams.get(handle);
        if (stream != null) {
            if (message.reason() != 0) {
                counters.resetsIn++;
            }
            streams.closedByPeer(stream, extension.isAgreed() ? PeerErrno.of(message.reason()) : 0);
            return;
        }
        if (!files.onClosed(handle) && !receivedFiles.onClosedByOwner(handle) && !export.confirm(handle)) {
            counters.unknownHandles++;
        }
    }

    private void tearDown() {
        if (!link.isClosed()) {
            link.close();
            resources.loop().cancel(lastWords);
            heartbeat.stop();
            connects.close();
            waitingForRoom.clear();
            streams.finishAll();
            files.close();
            fileRequests.close();
            receivedFiles.close();
            if (descriptorChannel != null) {
                descriptorChannel.close();
            }
        }
    }
}
