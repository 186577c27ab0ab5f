/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.session;

import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.protobuf.InvalidProtocolBufferException;
import io.vsockproxy.posix.Errno;
import io.vsockproxy.posix.PosixException;
import io.vsockproxy.proto.FileDescriptor;
import io.vsockproxy.proto.VSockMessage;
import io.vsockproxy.testing.Endpoint;
import io.vsockproxy.testing.Received;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * The other end of a session's link: what it has sent, which answers it is owed, and whether what it receives makes
 * sense.
 */
final class HostilePeer implements AutoCloseable {
    /** A file request of the proxy's that waits for an answer. */
    record Asked(VSockMessage.CommandCase command, long cookie) { }

    private static final int MAX_KNOWN = 64;
    /** What a packet costs besides its bytes, at most; a stream's bytes cost no more than themselves. */
    private static final int PACKET_COST = 64;
    private static final int MAX_UNSENT_LENGTH = 1 << 20;
    private static final int MAX_PIECE_LENGTH = 1 << 20;

    /** Handles that either side has made up, the latest last. */
    final List<Long> handles = new ArrayList<>();
    final List<Asked> asked = new ArrayList<>();
    private final Endpoint link;
    private final boolean isHost;
    private final Map<Long, Long> received = new HashMap<>();
    /** Bytes that came with requests to connect, by cookie. */
    private final Map<Long, Long> earlyLengths = new HashMap<>();
    private final Map<Long, VSockMessage.CommandCase> unanswered = new HashMap<>();
    private final List<Integer> frameEnds = new ArrayList<>();
    private final List<VSockMessage> framesSent = new ArrayList<>();
    private ByteArrayOutputStream unsent = new ByteArrayOutputStream();
    private Endpoint[] riding = {};
    private byte[] unread = new byte[0];
    private long window = Long.MAX_VALUE;
    private boolean withholds;
    private boolean inStep = true;
    private boolean ended;

    /**
     * @param link   takes ownership.
     * @param isHost whether the proxy is a host, whose handles are positive.
     */
    HostilePeer(final Endpoint link, final boolean isHost) {
        this.link = link;
        this.isHost = isHost;
    }

    /** Whether everything sent so far was whole frames with protobuf's own bodies. */
    boolean isInStep() {
        return inStep;
    }

    /** How many bytes of a stream it has said that it takes before it says so again. */
    void window(final long bytes) {
        window = bytes;
    }

    /**
     * Whether what it sends may wait, directly or not, for itself, until the stall timeout. A stream's bytes may wait
     * at the proxy for credit in a cycle, when an application passes its own connection and the peer writes to that. Or
     * descriptors wait for a byte to go with, and what is written to those descriptors fills the link in front of that
     * byte.
     */
    boolean isStarving() {
        return withholds || received.values().stream().anyMatch(bytes -> bytes >= window);
    }

    /** Whether the proxy has closed the link. */
    boolean hasEnded() {
        return ended;
    }

    /** Requests that must have been answered by now. */
    Map<Long, VSockMessage.CommandCase> unanswered() {
        return unanswered;
    }

    /** Adds a frame to what is to be sent; the descriptors are sent, and closed, with its first byte. */
    void say(final byte[] frame, final VSockMessage message, final Endpoint... descriptors) {
        if (unsent.size() > MAX_UNSENT_LENGTH || ended) {
            Endpoint.closeAll(descriptors);
            return;
        }
        if (descriptors.length > 0) {
            // They go with the first byte that is sent next.
            if (unsent.size() > 0 || riding.length > 0) {
                Endpoint.closeAll(descriptors);
            } else {
                riding = descriptors;
            }
        }
        unsent.writeBytes(frame);
        if (message == null) {
            inStep = false;
        } else {
            frameEnds.add(unsent.size());
            framesSent.add(message);
        }
    }

    /** Sends up to {@code length} bytes of what was said: how many went. */
    int send(final int length) {
        final byte[] bytes = unsent.toByteArray();
        final int count = Math.min(length, bytes.length);
        int sent = 0;
        if (count > 0 && !ended) {
            sent = link.trySend(bytes, 0, count, riding);
        }
        if (sent < 0 && sent != -Errno.EAGAIN) {
            assertTrue(sent == -Errno.EPIPE || sent == -Errno.ECONNRESET, "sending: " + Errno.name(-sent));
            ended = true;
        }
        if (sent > 0) {
            unsent = new ByteArrayOutputStream();
            unsent.write(bytes, sent, bytes.length - sent);
            Endpoint.closeAll(riding);
            riding = new Endpoint[0];
            onSent(sent);
        }
        return Math.max(0, sent);
    }

    int unsentLength() {
        return unsent.size();
    }

    /** Takes what has come, and checks it. */
    void receive() {
        Received received = ended ? null : receiveNow();
        while (received != null) {
            received.descriptors().forEach(Endpoint::close);
            if (received.bytes().length == 0) {
                ended = true;
            }
            final int before = unread.length;
            unread = Arrays.copyOf(unread, before + received.bytes().length);
            System.arraycopy(received.bytes(), 0, unread, before, received.bytes().length);
            parse();
            received = ended ? null : receiveNow();
        }
    }

    private Received receiveNow() {
        try {
            return link.receiveNow(MAX_PIECE_LENGTH);
        } catch (final PosixException e) {
            if (e.errno() != Errno.ECONNRESET) {
                throw e;
            }
            ended = true;
            return null;
        }
    }

    /** Will send no more. */
    void shutdownWrite() {
        if (!ended) {
            inStep = false;
            try {
                link.shutdownWrite();
            } catch (final PosixException e) {
                ended = true;
            }
        }
    }

    @Override
    public void close() {
        ended = true;
        Endpoint.closeAll(riding);
        riding = new Endpoint[0];
        link.close();
    }

    private void onSent(final int length) {
        for (int i = 0; i < frameEnds.size(); i++) {
            frameEnds.set(i, frameEnds.get(i) - length);
        }
        while (!frameEnds.isEmpty() && frameEnds.get(0) <= 0) {
            frameEnds.remove(0);
            expectAnswer(framesSent.remove(0));
        }
    }

    private void expectAnswer(final VSockMessage message) {
        switch (message.getCommandCase()) {
            case CONNECT_REQUEST -> unanswered.put(
                message.getConnectRequest().getCookie(), VSockMessage.CommandCase.CONNECT_RESPONSE);
            case CONNECT_RESPONSE -> received.merge(
                message.getConnectResponse().getHandle(),
                earlyLengths.getOrDefault(message.getConnectResponse().getCookie(), 0L), Long::sum);
            case PREAD_REQUEST -> unanswered.put(
                message.getPreadRequest().getCookie(), VSockMessage.CommandCase.PREAD_RESPONSE);
            case PWRITE_REQUEST -> unanswered.put(
                message.getPwriteRequest().getCookie(), VSockMessage.CommandCase.PWRITE_RESPONSE);
            case FSTAT_REQUEST -> unanswered.put(
                message.getFstatRequest().getCookie(), VSockMessage.CommandCase.FSTAT_RESPONSE);
            case FTRUNCATE_REQUEST -> unanswered.put(
                message.getFtruncateRequest().getCookie(), VSockMessage.CommandCase.FTRUNCATE_RESPONSE);
            case DATA -> withholds |=
                message.getData().getTransferredFdCount() > 0 && message.getData().getBlob().isEmpty();
            default -> {
                // The rest has no descriptors.
            }
        }
    }

    private void parse() {
        int position = 0;
        while (unread.length - position >= Long.BYTES) {
            final long length = ByteBuffer.wrap(unread, position, Long.BYTES).order(ByteOrder.LITTLE_ENDIAN).getLong();
            assertTrue(length >= 0 && length <= 1 << 20, "the proxy's frame has " + length + " bytes");
            if (unread.length - position - Long.BYTES < length) {
                break;
            }
            position += Long.BYTES;
            try {
                take(VSockMessage.parseFrom(Arrays.copyOfRange(unread, position, position + (int) length)));
            } catch (final InvalidProtocolBufferException e) {
                throw new AssertionError("the proxy's frame is no message", e);
            }
            position += (int) length;
        }
        unread = Arrays.copyOfRange(unread, position, unread.length);
    }

    private void take(final VSockMessage message) {
        switch (message.getCommandCase()) {
            case CONNECT_RESPONSE -> {
                answer(message.getConnectResponse().getCookie(), message.getCommandCase());
                if (message.getConnectResponse().getErrorCode() == 0) {
                    onNewHandle(message.getConnectResponse().getHandle());
                }
            }
            case PREAD_RESPONSE -> answer(message.getPreadResponse().getCookie(), message.getCommandCase());
            case PWRITE_RESPONSE -> answer(message.getPwriteResponse().getCookie(), message.getCommandCase());
            case FSTAT_RESPONSE -> answer(message.getFstatResponse().getCookie(), message.getCommandCase());
            case FTRUNCATE_RESPONSE -> answer(message.getFtruncateResponse().getCookie(), message.getCommandCase());
            case DATA -> {
                received.merge(
                    message.getData().getHandle(), (long) message.getData().getBlob().size() + PACKET_COST, Long::sum);
                for (final FileDescriptor descriptor : message.getData().getTransferredFdList()) {
                    if (descriptor.getType() != FileDescriptor.Type.TRANSPORTABLE && !isReturned(descriptor)) {
                        onNewHandle(descriptor.getHandle());
                    }
                }
            }
            case PREAD_REQUEST -> ask(message.getCommandCase(), message.getPreadRequest().getCookie());
            case PWRITE_REQUEST -> ask(message.getCommandCase(), message.getPwriteRequest().getCookie());
            case FSTAT_REQUEST -> ask(message.getCommandCase(), message.getFstatRequest().getCookie());
            case FTRUNCATE_REQUEST -> ask(message.getCommandCase(), message.getFtruncateRequest().getCookie());
            case CONNECT_REQUEST -> {
                ask(message.getCommandCase(), message.getConnectRequest().getCookie());
                earlyLengths.put(
                    message.getConnectRequest().getCookie(), (long) message.getConnectRequest().getEarlyData().size());
            }
            case CLOSE -> {
                // Nothing to check.
            }
            default -> throw new AssertionError("the proxy says nothing that the protocol knows: " + message);
        }
    }

    private void answer(final long cookie, final VSockMessage.CommandCase command) {
        final boolean isDue = unanswered.remove(cookie, command);
        // Once out of step, it is unknown what was asked.
        assertTrue(isDue || !inStep, () -> "a " + command + " to nothing, or a second one: " + cookie);
    }

    /** A FIFO of this side's comes back by its own handle: docs/protocol-extensions.md. */
    private boolean isReturned(final FileDescriptor descriptor) {
        return descriptor.getType() == FileDescriptor.Type.FIFO && !isTheProxys(descriptor.getHandle());
    }

    private boolean isTheProxys(final long handle) {
        return isHost ? handle > 0 : handle < 0;
    }

    private void onNewHandle(final long handle) {
        assertTrue(isTheProxys(handle), () -> "the proxy made up the handle " + handle);
        know(handle);
    }

    /** Remembers a handle, to be used again. */
    void know(final long handle) {
        if (handles.size() >= MAX_KNOWN) {
            handles.remove(0);
        }
        handles.add(handle);
    }

    private void ask(final VSockMessage.CommandCase command, final long cookie) {
        if (asked.size() < MAX_KNOWN) {
            asked.add(new Asked(command, cookie));
        }
    }
}
