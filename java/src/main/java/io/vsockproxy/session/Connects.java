/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.session;

import io.vsockproxy.channel.ChannelHandler;
import io.vsockproxy.posix.Constants;
import io.vsockproxy.posix.Errno;
import io.vsockproxy.posix.Memory;
import io.vsockproxy.posix.OwnedFd;
import io.vsockproxy.posix.PosixException;
import io.vsockproxy.posix.SocketAddress;
import io.vsockproxy.socket.SocketConnector;
import io.vsockproxy.stream.ChannelStream;
import io.vsockproxy.stream.Origin;
import io.vsockproxy.stream.Stream;
import io.vsockproxy.stream.StreamKind;
import io.vsockproxy.wire.ConnectRequestHeader;
import io.vsockproxy.wire.MessageDecoder;
import java.lang.System.Logger.Level;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.Set;
import java.util.function.IntPredicate;
import java.util.regex.Pattern;
import org.agrona.DirectBuffer;
import org.agrona.collections.Long2ObjectHashMap;

/**
 * Connections being made, in both directions: those that the peer asks for here, and local ends that wait for the
 * peer's answer. Confined to the loop's thread.
 */
final class Connects implements AutoCloseable {
    /** Handles and cookies are never 0. */
    private static final long NO_COOKIE = 0;

    /** Characters that could garble a line of the log. */
    private static final Pattern UNPRINTABLE = Pattern.compile("[\\p{Cc}\\p{Cf}\\p{Zl}\\p{Zp}]");

    /** A local end that waits for the peer's answer. */
    private interface Waiting {
        /** The peer has connected. Returns 0, or an errno when the local end cannot be used. */
        int onConnected(long handle);

        /** The peer has not connected, or cannot be asked. */
        void onRefused(int errno);

        /** Whether the local end is a descriptor of this process. */
        boolean hasDescriptor();
    }

    private final SessionResources resources;
    private final AllowedPaths allowedPaths;
    private final Session session;
    private final Outbox outbox;
    private final StreamTable streams;
    private final PeerExtension extension;
    private final SessionCounters counters;
    private final Long2ObjectHashMap<Waiting> requested = new Long2ObjectHashMap<>();
    private final Set<Attempt> attempts = new HashSet<>();
    private final IntPredicate isKeepable;
    private boolean refusing;

    Connects(
        final SessionResources resources,
        final AllowedPaths allowedPaths,
        final Session session,
        final Outbox outbox,
        final StreamTable streams,
        final PeerExtension extension,
        final SessionCounters counters) {
        this.resources = resources;
        this.allowedPaths = allowedPaths;
        this.session = session;
        this.outbox = outbox;
        this.streams = streams;
        this.extension = extension;
        this.counters = counters;
        this.isKeepable = fd -> !resources.commons().reserve().isSpare(fd);
    }

    AllowedPaths allowedPaths() {
        return allowedPaths;
    }

    /**
     * Asks the peer to connect to {@code path}, for a connection that has been accepted here. Takes ownership of the
     * connection; {@code path} must not change until there is an answer.
     */
    void request(final OwnedFd accepted, final DirectBuffer path) {
        final WaitingSocket waiting = new WaitingSocket(accepted, path);
        final long cookie = await(waiting);
        if (cookie != NO_COOKIE) {
            waiting.earlyLength = sendEarly(cookie, accepted, path);
            if (waiting.earlyLength == 0) {
                outbox.sendConnectRequest(cookie, path);
            }
        }
    }

    /** Asks the peer to connect to {@code path}, for a component. */
    void request(final DirectBuffer path, final ChannelHandler component) {
        final long cookie = await(new WaitingComponent(component));
        if (cookie != NO_COOKIE) {
            outbox.sendConnectRequest(cookie, path);
        }
    }

    /** Returns the cookie of the request to be sent, or NO_COOKIE when {@code waiting} has been refused. */
    private long await(final Waiting waiting) {
        // Each will need a handle: a connection that is refused only then has already been used by early data.
        if (requested.size() >= resources.limits().maxPendingConnects()
            || !session.hasHandleRoom(requested.size() + 1)) {
            counters.refusedConnects++;
            waiting.onRefused(Errno.EAGAIN);
            return NO_COOKIE;
        }
        final long cookie = session.newHandle();
        requested.put(cookie, waiting);
        return cookie;
    }

    /**
     * Sends what an application has already written along with the request, which saves a round trip between the
     * proxies. The bytes stay in the socket too, until there is a connection: if there will be none, the kernel tells
     * the application that nobody has read them (ECONNRESET). Returns how many; 0 when there are none, or none that can
     * be sent so, and the request has not been sent.
     */
    private int sendEarly(final long cookie, final OwnedFd accepted, final DirectBuffer path) {
        final int maxLength = extension.maxEarlyLength();
        if (maxLength == 0 || !outbox.claimConnectRequest(cookie, path, maxLength)) {
            return 0;
        }
        final int length = resources.commons().peekBytes(accepted.fd(), outbox.blobAddress(), maxLength);
        if (length == 0) {
            outbox.abortBlob();
        } else {
            outbox.sendConnectRequest(cookie, path, length);
        }
        return length;
    }

    void onResponse(final MessageDecoder message) {
        final Waiting waiting = requested.remove(message.cookie());
        if (waiting == null) {
            counters.unaskedResponses++;
            return;
        }
        final long handle = message.handle();
        if (message.errorCode() != 0) {
            waiting.onRefused(PeerErrno.of(message.errorCode()));
        } else if (!session.isNewPeerHandle(handle)) {
            waiting.onRefused(Errno.EPROTO);
            throw new ProtocolException("ConnectResponse with handle " + handle
                + ", which is zero, of the wrong sign or in use");
        } else if (!session.hasHandleRoom(1)) {
            waiting.onRefused(Errno.EAGAIN);
            outbox.sendClose(handle);
        } else {
            final int errno = waiting.onConnected(handle);
            if (errno != 0 && extension.isAgreed()) {
                counters.resetsOut++;
                outbox.sendReset(handle, errno);
            } else if (errno != 0) {
                outbox.sendClose(handle);
            }
        }
    }

    void onRequest(final MessageDecoder message) {
        final long cookie = message.cookie();
        if (extension.isAgreed() && message.blobLength() > ConnectRequestHeader.MAX_EARLY_LENGTH) {
            throw new ProtocolException("early data of " + message.blobLength() + " bytes, max="
                + ConnectRequestHeader.MAX_EARLY_LENGTH);
        }
        final ChannelAcceptors.Entry component = resources.acceptors().find(
            message.buffer(), message.pathOffset(), message.pathLength());
        if (component != null) {
            accept(message, component);
            return;
        }
        final AllowedPaths.Entry allowed = allowedPaths.find(
            message.buffer(), message.pathOffset(), message.pathLength());
        final int errno = allowed == null ? refusal(message) : busy();
        if (errno != 0) {
            counters.refusedConnects++;
            final String path = text(message.buffer(), message.pathOffset(), message.pathLength());
            log(Level.WARNING, "refused to connect to '" + path + "'"
                + (errno == Errno.EACCES ? ", which is not allowed" : ""), errno);
            outbox.sendConnectResponse(cookie, errno, 0);
            return;
        }
        final Attempt attempt = new Attempt(cookie, allowed, message);
        attempt.connector = SocketConnector.connect(
            resources.loop(), Constants.AF_UNIX, attempt.address, resources.limits().connectTimeoutNs(), isKeepable,
            attempt);
        if (attempt.connector != null) {
            attempts.add(attempt);
            attempt.keepEarlyData();
        }
    }

    private void log(final Level level, final String what, final int errno) {
        resources.log().log(
            level, session.name() + ": " + what + ": " + Errno.name(errno), resources.loop().nowNs());
    }

    /** A path in printable form, for a line of the log. */
    private static String text(final DirectBuffer buffer, final int offset, final int length) {
        final byte[] bytes = new byte[Math.min(length, SocketAddress.MAX_PATH_LENGTH)];
        buffer.getBytes(offset, bytes);
        return UNPRINTABLE.matcher(new String(bytes, StandardCharsets.UTF_8)).replaceAll("?")
            + (bytes.length < length ? "..." : "");
    }

    /** How many descriptors the connections have that are being made, in both directions. */
    int descriptorCount() {
        int count = attempts.size();
        for (final Waiting waiting : requested.values()) {
            if (waiting.hasDescriptor()) {
                count++;
            }
        }
        return count;
    }

    /** Whether no connection is being made. */
    boolean isIdle() {
        return requested.isEmpty() && attempts.isEmpty();
    }

    /** Refuses the peer's requests from now on. Connections being made are not affected. */
    void refuseMore() {
        refusing = true;
    }

    /** The session has ended: every local end that waits is refused, every attempt is given up. */
    @Override
    public void close() {
        final ArrayList<Waiting> left = new ArrayList<>(requested.values());
        requested.clear();
        for (final Waiting waiting : left) {
            waiting.onRefused(Errno.ECONNABORTED);
        }
        for (final Attempt attempt : attempts) {
            attempt.connector.close();
            attempt.release();
        }
        attempts.clear();
    }

    /** The peer asks to be connected to a component. */
    private void accept(final MessageDecoder message, final ChannelAcceptors.Entry entry) {
        final long cookie = message.cookie();
        int errno = busy();
        final ChannelHandler[] found = new ChannelHandler[1];
        if (errno == 0) {
            resources.channels().call(() -> found[0] = entry.acceptor().onConnect(session.peer(), entry.name()));
            errno = found[0] == null ? Errno.ECONNREFUSED : 0;
        }
        if (errno != 0) {
            counters.refusedConnects++;
            outbox.sendConnectResponse(cookie, errno, 0);
            return;
        }
        final long handle = session.newHandle();
        final ChannelStream stream = streams.openChannel(handle, found[0]);
        outbox.sendConnectResponse(cookie, 0, handle);
        stream.connected();
        deliverEarly(stream, message.buffer(), message.blobOffset(), message.blobLength());
    }

    /** Delivers what came with the request for the stream, from a peer that may send it. */
    private void deliverEarly(
        final Stream stream, final DirectBuffer buffer, final int offset, final int length) {
        if (length > 0 && extension.isAgreed() && !session.hasEnded()) {
            session.onData(stream, buffer, offset, length);
        }
    }

    /** The errno with which a path that is not allowed is refused. */
    private static int refusal(final MessageDecoder message) {
        if (message.pathLength() > SocketAddress.MAX_PATH_LENGTH) {
            return Errno.ENAMETOOLONG;
        }
        for (int i = 0; i < message.pathLength(); i++) {
            if (message.buffer().getByte(message.pathOffset() + i) == 0) {
                return Errno.EINVAL;
            }
        }
        return Errno.EACCES;
    }

    /** Sends the answer, guarded as by {@link Session#guarded}, but without allocating. */
    private void answer(final long cookie, final int errno, final long handle) {
        if (!session.hasEnded()) {
            try {
                outbox.sendConnectResponse(cookie, errno, handle);
            } catch (final ProtocolException e) {
                session.end(e.getMessage());
            }
        }
    }

    private int busy() {
        if (refusing) {
            return Errno.ECONNREFUSED;
        }
        final boolean room = attempts.size() < resources.limits().maxPendingConnects() && session.hasHandleRoom(1);
        return room ? 0 : Errno.EAGAIN;
    }

    /** A connection that an application has made here. */
    private final class WaitingSocket implements Waiting {
        private final OwnedFd accepted;
        private final DirectBuffer path;
        private int earlyLength;

        WaitingSocket(final OwnedFd accepted, final DirectBuffer path) {
            this.accepted = accepted;
            this.path = path;
        }

        @Override
        public int onConnected(final long handle) {
            if (!resources.commons().skipBytes(accepted.fd(), earlyLength)) {
                accepted.close();
                return Errno.EPROTO;
            }
            final Stream stream = streams.open(StreamKind.SOCKET_STREAM, handle, accepted, Origin.PROXY);
            if (stream == null) {
                return Errno.ENOMEM;
            }
            stream.spend(earlyLength);
            if (earlyLength == 0 || earlyLength == extension.maxEarlyLength()) {
                // Most applications have sent something by now, so reading at once saves a wait for epoll. If all of it
                // went with the request, there is seldom more.
                stream.readAtOnce();
            }
            return 0;
        }

        @Override
        public void onRefused(final int errno) {
            if (errno != Errno.ECONNABORTED) {
                log(Level.INFO, "could not connect an application to '" + text(path, 0, path.capacity())
                    + "' there", errno);
            }
            accepted.close();
        }

        @Override
        public boolean hasDescriptor() {
            return true;
        }
    }

    /** A component. */
    private final class WaitingComponent implements Waiting {
        private final ChannelHandler component;

        WaitingComponent(final ChannelHandler component) {
            this.component = component;
        }

        @Override
        public int onConnected(final long handle) {
            streams.openChannel(handle, component).connected();
            return 0;
        }

        @Override
        public void onRefused(final int errno) {
            resources.channels().call(() -> component.onConnectFailed(errno));
        }

        @Override
        public boolean hasDescriptor() {
            return false;
        }
    }

    /** A connection being made that the peer has asked for. */
    private final class Attempt implements SocketConnector.Completion {
        private final long cookie;
        private final AllowedPaths.Entry allowed;
        private final SocketAddress address;
        private SocketConnector connector;
        /** What came with the request: in the message, and once that is no longer there, in {@link #kept}. */
        private DirectBuffer early;
        private int earlyOffset;
        private final int earlyLength;
        private Memory kept;

        Attempt(final long cookie, final AllowedPaths.Entry allowed, final MessageDecoder message) {
            this.cookie = cookie;
            this.allowed = allowed;
            this.address = allowed.borrow();
            this.early = message.buffer();
            this.earlyOffset = message.blobOffset();
            this.earlyLength = extension.isAgreed() ? message.blobLength() : 0;
        }

        /** The connection cannot be made at once, and the message will be gone. Fails if there is no memory. */
        void keepEarlyData() {
            if (earlyLength == 0) {
                return;
            }
            try {
                kept = Memory.allocate(earlyLength);
            } catch (final PosixException e) {
                connector.close();
                onFailed(e.errno());
                return;
            }
            kept.buffer().putBytes(0, early, earlyOffset, earlyLength);
            early = kept.buffer();
            earlyOffset = 0;
        }

        /** Gives up what it has. To be called once. */
        void release() {
            allowed.giveBack();
            if (kept != null) {
                kept.close();
            }
        }

        @Override
        public void onConnected(final OwnedFd socket) {
            try {
                final long handle = session.newHandle();
                final Stream stream = streams.open(StreamKind.SOCKET_STREAM, handle, socket, Origin.PROXY);
                // First the answer, so that the peer knows the handle when it is told what became of the early data.
                answer(cookie, stream == null ? Errno.ENOMEM : 0, stream == null ? 0 : handle);
                if (stream != null) {
                    deliverEarly(stream, early, earlyOffset, earlyLength);
                }
            } finally {
                forget();
            }
        }

        @Override
        public void onFailed(final int errno) {
            forget();
            final boolean outOfDescriptors = errno == Errno.EMFILE || errno == Errno.ENFILE;
            if (outOfDescriptors) {
                counters.refusedConnects++;
            }
            log(outOfDescriptors ? Level.WARNING : Level.INFO, "could not connect to '" + address.path() + "'", errno);
            answer(cookie, errno, 0);
        }

        private void forget() {
            release();
            if (connector != null) {
                attempts.remove(this);
            }
        }
    }
}
