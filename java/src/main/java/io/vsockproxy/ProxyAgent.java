/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy;

import io.vsockproxy.channel.ChannelHandler;
import io.vsockproxy.counters.CounterId;
import io.vsockproxy.counters.CounterValues;
import io.vsockproxy.file.FileWindows;
import io.vsockproxy.file.FileWorkers;
import io.vsockproxy.fuse.FuseMount;
import io.vsockproxy.link.LinkSockets;
import io.vsockproxy.loop.EventLoop;
import io.vsockproxy.loop.Timer;
import io.vsockproxy.posix.Errno;
import io.vsockproxy.posix.OwnedFd;
import io.vsockproxy.posix.Parts;
import io.vsockproxy.posix.PosixException;
import io.vsockproxy.posix.SocketName;
import io.vsockproxy.session.AllowedPaths;
import io.vsockproxy.session.ChannelAcceptors;
import io.vsockproxy.session.RepeatedLog;
import io.vsockproxy.session.Session;
import io.vsockproxy.session.SessionResources;
import io.vsockproxy.socket.SocketListener;
import io.vsockproxy.stream.ChannelCommons;
import io.vsockproxy.stream.StreamCommons;
import io.vsockproxy.stream.StreamKind;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.agrona.CloseHelper;

/**
 * The proxy itself, run turn by turn: accepts guests or connects to the host, begins and ends their sessions, and
 * forwards local connections.
 *
 * <p>Confined to the thread that calls {@link #doWork}, except {@link #wakeUp}, {@link #submit} and {@link #execute}.
 */
final class ProxyAgent implements EngineAgent {
    private static final Logger LOGGER = System.getLogger(ProxyAgent.class.getName());
    /** Lines per minute. */
    private static final int MAX_LOG_LINES = 64;
    /** How many files of the mount are closed at once. Each close waits for this loop only. */
    private static final int MOUNT_WORKER_THREADS = 2;

    private final VsockProxy.Context context;
    private final CompletableFuture<String> ready;
    private final EventLoop loop;
    private final FileWorkers workers;
    private final FileWorkers mountWorkers;
    private final FuseMount mount;
    private final SessionResources resources;
    /**
     * For events that peers and applications can cause as often as they like: refused guests and connections, lost
     * streams.
     */
    private final RepeatedLog log = new RepeatedLog(LOGGER, MAX_LOG_LINES);
    private final SessionLog sessionLog;
    /** Null when no counters file is configured. */
    private final CounterPublisher counters;
    private final Admission admission;
    private final ListeningSockets listeningSockets;
    private final ArrayList<Session> sessions = new ArrayList<>();
    /** Sessions that have ended, but whose local readers may still be catching up. */
    private final ArrayList<Session> endedSessions = new ArrayList<>();
    /** Why the proxy cannot go on, to be thrown at the end of the turn; or null. */
    private RuntimeException failure;
    /** The first RuntimeException or Error thrown while closing, with later ones suppressed; or null. */
    private Throwable closeFailure;
    private final Forwards forwards;
    private final Timer liveness = new Timer(this::showLife);
    private DescriptorSocket descriptorSocket;
    /** A host's; null in a guest, and before the start. */
    private SocketListener linkListener;
    /** A guest's; null in a host, and before the start. */
    private HostConnector hostConnector;
    private int sessionNumber;
    private long refusedGuests;
    private boolean announced;
    private boolean draining;
    private boolean started;
    private boolean closesAfterTurn;
    /** Written under this object's lock. */
    private volatile boolean closed;

    /**
     * @param ready completed, with a human-readable line, when the proxy serves.
     */
    ProxyAgent(final VsockProxy.Context context, final CompletableFuture<String> ready) {
        this.context = context;
        this.ready = ready;
        try (Parts parts = new Parts()) {
            listeningSockets = parts.add(new ListeningSockets(context));
            loop = parts.add(new EventLoop(context.spinLimitNs(), this::onError));
            sessionLog = new SessionLog(loop, context.role() == Role.GUEST);
            workers = parts.add(new FileWorkers(loop, context.fileWorkerThreads()));
            // Separate from the workers that wait for disks: closing a file of the mount waits for this loop, never for
            // a disk.
            mountWorkers = parts.add(new FileWorkers(loop, MOUNT_WORKER_THREADS));
            final StreamCommons commons = parts.add(new StreamCommons(loop, context.limits().maxPacketLength()));
            admission = parts.add(
                new Admission(context.allowedPaths(), context.guests()));
            mount = context.filesDirectory() == null ? null
                : parts.add(FuseMount.mount(
                    loop, mountWorkers, context.filesDirectory(), context.filesAllowOther()));
            resources = new SessionResources(
                loop, context.role() == Role.HOST, context.limits(), context.extensions(), commons,
                new ChannelAcceptors(context.acceptors()),
                new ChannelCommons(loop, this::onError, context.limits().maxPacketLength()),
                workers, new FileWindows(workers), mount, log);
            forwards = new Forwards(loop, commons.reserve());
            counters = context.countersFile() == null ? null
                : new CounterPublisher(loop, context.countersFile(), this::addTo);
            parts.keep();
        }
    }

    @Override
    public String roleName() {
        return "vsock-proxy-" + context.role();
    }

    @Override
    public void onStart() {
        if (started) {
            throw new IllegalStateException("already started");
        }
        started = true;
        try {
            start();
        } catch (final RuntimeException e) {
            ready.completeExceptionally(e);
            throw e;
        }
    }

    private void start() {
        if (context.livenessIntervalNs() > 0) {
            loop.schedule(liveness, 0);
        }
        openDescriptorSocket();
        if (context.role() == Role.HOST) {
            listenForGuests();
            listenForApplications();
            announce("host listening on " + context.address());
        } else {
            hostConnector = new HostConnector(loop, context.address(), this::configure, this::onLink);
            hostConnector.connect();
            throwFailure();
        }
    }

    @Override
    public int doWork() {
        return doWork(0);
    }

    @Override
    public int doWork(final long maxWaitNs) {
        if (closed) {
            return 0;
        }
        if (!started) {
            throw new IllegalStateException("onStart has not been called");
        }
        loop.checkNotTurning();
        try {
            resources.channels().abandonClaim();
            final int work = loop.turn(maxWaitNs);
            if (counters != null) {
                counters.onTurn();
            }
            throwFailure();
            return work;
        } finally {
            if (closesAfterTurn) {
                onClose();
            }
        }
    }

    private void throwFailure() {
        if (failure != null) {
            final RuntimeException thrown = failure;
            failure = null;
            ready.completeExceptionally(thrown);
            throw thrown;
        }
    }

    /** Any thread. */
    void wakeUp() {
        loop.wakeUp();
    }

    private void showLife() {
        // Scheduled before the task runs, so that it runs again even if it throws.
        loop.schedule(liveness, context.livenessIntervalNs());
        context.livenessTask().run();
    }

    /** Brings every session to an orderly end, for at most the context's drain timeout. */
    void drain() {
        final long deadlineNs = System.nanoTime() + context.drainTimeoutNs();
        draining = true;
        if (hostConnector != null) {
            hostConnector.stop();
        }
        stopListeningForGuests();
        forwards.pause();
        for (long leftNs = context.drainTimeoutNs(); leftNs > 0 && !isDrained();
            leftNs = deadlineNs - System.nanoTime()) {
            new ArrayList<>(sessions).forEach(Session::drain);
            doWork(leftNs);
        }
        if (context.drainTimeoutNs() > 0 && !isDrained()) {
            final CounterValues left = new CounterValues();
            addTo(left);
            LOGGER.log(Level.WARNING, "{0}: stopped after draining for {1} ms, with {2} sessions still open; lost are "
                + "{3} bytes for applications here, {4} for the link, and what was not read yet", context.address(),
                Long.toString(TimeUnit.NANOSECONDS.toMillis(context.drainTimeoutNs())),
                Long.toString(left.get(CounterId.SESSIONS)), Long.toString(left.get(CounterId.QUEUED_BYTES)),
                Long.toString(left.get(CounterId.OUTGOING_BYTES)));
        }
    }

    /**
     * Before anything else: a guest whose connection waits in the backlog of a socket that nobody accepts from takes
     * that for a session. A socket that was handed over stays, and keeps such guests for the host's successor.
     */
    private void stopListeningForGuests() {
        if (linkListener == null) {
            return;
        }
        if (listeningSockets.isInherited(context.address())) {
            linkListener.pause();
        } else {
            listeningSockets.remove(context.address());
            linkListener.close();
            linkListener = null;
        }
    }

    /** Drops ended sessions whose readers have taken everything. */
    private void forgetSettled() {
        endedSessions.removeIf(session -> {
            if (session.isSettled()) {
                if (counters != null) {
                    counters.onSettled(session);
                }
                return true;
            }
            return false;
        });
    }

    /** Keeps no more ended sessions than may be running: a peer may come and go as often as it likes. */
    private void closeOldestEnded() {
        if (endedSessions.size() > maxSessions()) {
            final Session oldest = endedSessions.get(0);
            LOGGER.log(Level.WARNING, "{0}: closed with {1} bytes that its readers had not taken, because {2} sessions"
                + " have ended since, and wait for their readers", oldest.name(), Long.toString(oldest.queuedBytes()),
                Integer.toString(maxSessions()));
            oldest.close();
            forgetSettled();
        }
    }

    /** Adds the current values. The counts of sessions that were dropped are added by the publisher. */
    private void addTo(final CounterValues values) {
        // No lambdas: this runs ten times a second and must not allocate.
        for (int i = 0; i < sessions.size(); i++) {
            sessions.get(i).addTo(values);
        }
        for (int i = 0; i < endedSessions.size(); i++) {
            endedSessions.get(i).addTo(values);
        }
        values.add(CounterId.SESSIONS_BEGUN, sessionNumber);
        values.add(CounterId.GUESTS_REFUSED, refusedGuests);
        if (linkListener != null) {
            values.add(CounterId.LISTENER_DESCRIPTORS, linkListener.descriptorCount());
        }
        values.add(CounterId.LISTENER_DESCRIPTORS, forwards.descriptorCount());
        if (descriptorSocket != null) {
            values.add(CounterId.BESIDE_DESCRIPTORS, descriptorSocket.descriptorCount());
        }
        final StreamCommons commons = resources.commons();
        values.add(CounterId.WATCH_DESCRIPTORS, commons.watchCount());
        values.add(CounterId.CLOSING_DESCRIPTORS, commons.closingCount());
        values.add(CounterId.STREAM_SOCKET_DESCRIPTORS, commons.liveCount(StreamKind.SOCKET_STREAM));
        values.add(CounterId.DATAGRAM_SOCKET_DESCRIPTORS, commons.liveCount(StreamKind.SOCKET_DGRAM));
        values.add(CounterId.SEQPACKET_SOCKET_DESCRIPTORS, commons.liveCount(StreamKind.SOCKET_SEQPACKET));
        values.add(CounterId.PIPE_READER_DESCRIPTORS, commons.liveCount(StreamKind.PIPE_READER));
        values.add(CounterId.PIPE_WRITER_DESCRIPTORS, commons.liveCount(StreamKind.PIPE_WRITER));
    }

    private boolean isDrained() {
        forgetSettled();
        return sessions.isEmpty() && endedSessions.isEmpty();
    }

    /** Any thread: has {@code command} run on the loop's thread; returns false when it will not be run. */
    synchronized boolean submit(final Runnable command) {
        return !closed && loop.execute(command);
    }

    /**
     * Any thread: has a component's {@code command} run on the loop's thread, guarded as its callbacks are; returns
     * false when it will not be run.
     */
    boolean execute(final Runnable command) {
        return submit(() -> resources.channels().call(command));
    }

    /** Connects a component to {@code path} at the peer that connected last. */
    void connect(final String path, final ChannelHandler handler) {
        if (sessions.isEmpty()) {
            resources.channels().call(() -> handler.onConnectFailed(Errno.ENOTCONN));
        } else {
            sessions.get(sessions.size() - 1).peer().connect(path, handler);
        }
    }

    @Override
    public void onClose() {
        if (loop.isTurning()) {
            loop.checkThread();
            // Called from a callback: memory that closing would free is still in use up the stack.
            closesAfterTurn = true;
            return;
        }
        synchronized (this) {
            if (closed) {
                return;
            }
            closed = true;
        }
        ready.cancel(false);
        listeningSockets.made().forEach(socket -> close(socket::remove));
        close(hostConnector);
        close(linkListener);
        linkListener = null;
        close(descriptorSocket);
        descriptorSocket = null;
        close(forwards);
        new ArrayList<>(sessions).forEach(session -> close(session::close));
        endedSessions.forEach(session -> close(session::close));
        // So that every component hears the outcome of what it asked for.
        close(loop::runPending);
        close(mount);
        close(mountWorkers);
        close(workers);
        close(resources.windows());
        close(resources.commons());
        close(admission);
        close(listeningSockets);
        if (counters != null) {
            // The last values show that nothing is left open.
            endedSessions.forEach(counters::onSettled);
            endedSessions.clear();
            close(counters);
        }
        close(loop);
        throwCloseFailure();
    }

    /** Closes one part; what it throws is kept, so that the other parts are closed as well. */
    private void close(final AutoCloseable closeable) {
        try {
            CloseHelper.close(closeable);
        } catch (final RuntimeException | Error e) {
            keepCloseFailure(e);
        }
    }

    /** What the error handler itself throws ends the proxy, but must not stop the closing: then it is only kept. */
    private void onError(final Throwable thrown) {
        try {
            context.errorHandler().onError(thrown);
        } catch (final RuntimeException | Error e) {
            if (!closed) {
                throw e;
            }
            keepCloseFailure(e);
        }
    }

    private void keepCloseFailure(final Throwable thrown) {
        if (closeFailure == null) {
            closeFailure = thrown;
        } else if (closeFailure != thrown) {
            closeFailure.addSuppressed(thrown);
        }
    }

    private void throwCloseFailure() {
        if (closeFailure instanceof Error error) {
            throw error;
        }
        if (closeFailure != null) {
            throw (RuntimeException) closeFailure;
        }
    }

    // ---- The link

    private void listenForGuests() {
        final LinkAddress address = context.address();
        final OwnedFd socket = listeningSockets.listen(address);
        linkListener = new SocketListener(
            loop, socket, address.toString(), resources.commons().reserve(), this::onLink);
        linkListener.resume();
    }

    private void openDescriptorSocket() {
        final String path = context.descriptorSocket();
        if (path != null) {
            descriptorSocket = new DescriptorSocket(
                loop, path, context.role() == Role.HOST ? listeningSockets.listen(LinkAddress.unix(path)) : null,
                resources.commons().reserve(), context.limits().stallTimeoutNs());
        }
    }

    private int maxSessions() {
        // With several guests there would be no telling which one a connection for descriptors comes from.
        return descriptorSocket == null ? context.maxSessions() : 1;
    }

    /** A connection to the other side, of which this takes ownership: begins a session, or refuses it. */
    private void onLink(final OwnedFd socket) {
        if (draining) {
            socket.close();
        } else if (sessions.size() >= maxSessions()) {
            refusedGuests++;
            logRefusedGuest("sessions=" + sessions.size());
            socket.close();
        } else if (context.address().isUnix()) {
            configure(socket.fd());
            begin(socket, admission.paths(), Forward.LAST_PEER, "");
        } else {
            onVsockLink(socket);
        }
    }

    private void onVsockLink(final OwnedFd socket) {
        final int cid;
        try {
            cid = SocketName.peer(socket.fd()).cid();
        } catch (final PosixException e) {
            // The peer has already gone.
            socket.close();
            onLinkLost();
            return;
        }
        final AllowedPaths paths = context.role() == Role.HOST ? admission.paths(cid) : admission.paths();
        final String unsignedCid = Integer.toUnsignedString(cid);
        if (paths == null) {
            refusedGuests++;
            logRefusedGuest("CID " + unsignedCid + " may not connect");
            socket.close();
            return;
        }
        final long bufferLength = LinkSockets.vsockBufferLength(socket.fd());
        if (bufferLength < context.vsockBufferLength()) {
            LOGGER.log(Level.WARNING, "{0}: the kernel gives the link {1} bytes of buffer instead of {2}",
                context.address(), Long.toString(bufferLength), Long.toString(context.vsockBufferLength()));
        }
        begin(socket, paths, cid, " (CID " + unsignedCid + ")");
    }

    /** Rate-limited: a guest that is refused comes again every second. */
    private void logRefusedGuest(final String reason) {
        log.log(Level.WARNING, context.address() + ": refused a guest, " + reason, loop.nowNs());
    }

    /**
     * Any thread.
     *
     * @throws IllegalStateException when this proxy serves every guest, because its context names none.
     */
    void checkNamesGuests() {
        if (context.guests() == null) {
            throw new IllegalStateException(context.address() + " serves every guest, because its context names none");
        }
    }

    /** See {@link VsockProxy#guests}. */
    void guests(final Map<Integer, List<String>> guests) {
        admission.guests(guests);
        LOGGER.log(Level.INFO, "{0}: guests that may connect: {1}", context.address(), guests.size());
        for (final Session session : List.copyOf(sessions)) {
            if (!admission.admits(session.allowedPaths())) {
                session.end("its guest is no longer allowed to connect");
            }
        }
    }

    private void begin(final OwnedFd socket, final AllowedPaths paths, final int cid, final String origin) {
        final String name = (context.role() == Role.HOST ? "guest " : "host ") + ++sessionNumber + origin;
        final Session session;
        try {
            session = new Session(
                resources, paths, name, socket, context.address().isUnix() && descriptorSocket == null,
                descriptorSocket == null ? null : descriptorSocket.open(name), this::onSessionEnded);
            session.start();
        } catch (final PosixException e) {
            log.log(Level.WARNING, context.address() + ": no session: " + e.getMessage(), loop.nowNs());
            socket.close();
            onLinkLost();
            return;
        }
        sessions.add(session);
        forwards.onConnected(session, cid);
        sessionLog.onBegun(name + ": session began on " + context.address());
        resources.channels().call(() -> context.sessionListener().onConnected(session.peer()));
        if (context.role() == Role.GUEST && !announced) {
            try {
                listenForApplications();
            } catch (final RuntimeException e) {
                // Not thrown here, in a handler: the loop would only report it and go on.
                failure = e;
                return;
            }
            announce("guest connected to " + context.address());
        }
    }

    private void onSessionEnded(final Session session, final String reason) {
        sessionLog.onEnded(session, reason);
        sessions.remove(session);
        forwards.onEnded(session);
        forgetSettled();
        endedSessions.add(session);
        closeOldestEnded();
        resources.channels().call(() -> context.sessionListener().onEnded(session.peer(), reason));
        onLinkLost();
    }

    private void onLinkLost() {
        if (hostConnector != null) {
            hostConnector.onLinkLost();
        }
    }

    private void configure(final int fd) {
        if (context.address().isUnix()) {
            LinkSockets.configureUnix(fd);
        } else {
            LinkSockets.configureVsock(fd, context.vsockBufferLength());
        }
    }

    // ---- Applications

    private void listenForApplications() {
        for (final Forward forward : context.forwards()) {
            forwards.add(forward, listeningSockets.listen(LinkAddress.unix(forward.local())));
        }
    }

    private void announce(final String what) {
        announced = true;
        final int count = context.forwards().size();
        ready.complete(what + (count == 0 ? "" : ", forwarding " + context.forwards()));
    }
}
