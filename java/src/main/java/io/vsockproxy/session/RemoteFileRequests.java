/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.session;

import io.vsockproxy.channel.RemoteFile;
import io.vsockproxy.config.SessionLimits;
import io.vsockproxy.loop.EventLoop;
import io.vsockproxy.posix.Errno;
import io.vsockproxy.posix.FileAttributes;
import io.vsockproxy.posix.SplicePipe;
import io.vsockproxy.wire.Command;
import io.vsockproxy.wire.MessageDecoder;
import io.vsockproxy.wire.PwriteRequestHeader;
import io.vsockproxy.wire.Sync;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.function.BooleanSupplier;
import org.agrona.DirectBuffer;
import org.agrona.MutableDirectBuffer;

/**
 * Sends requests about files that the other side owns, and matches the answers. Every request that was sent gets
 * exactly one answer: the owner's, or EIO when the session ends. Confined to the loop's thread.
 */
final class RemoteFileRequests {
    /** Called with the outcome of a request, once. */
    @FunctionalInterface
    interface Completion {
        /**
         * The answer.
         *
         * @param context what was given with the request.
         * @param errno  0, or a positive errno: why it could not be done.
         * @param value  how many bytes were written; 0 for other requests.
         * @param buffer contains the bytes read; borrowed for this call only. Null for other requests.
         * @param offset index of the first byte.
         * @param length how many bytes were read; fewer than asked for at the end of the file.
         */
        void onAnswer(Object context, int errno, long value, DirectBuffer buffer, int offset, int length);
    }

    /** A completion that can also take the bytes of a read from a pipe. */
    interface SplicedCompletion extends Completion {
        /**
         * The bytes of the answer begin to come into {@code pipe}. {@link #onSpliced} is called when all of them have.
         *
         * @param pipe   receives, from this method, whatever must precede the bytes: a page at most.
         * @param length how many bytes will come.
         * @return false if they must come through the inbound buffer instead.
         */
        boolean beginSplice(Object context, SplicePipe pipe, int length);

        /** The answer, in place of {@link #onAnswer}. Must leave the pipe empty. */
        void onSpliced(Object context, SplicePipe pipe);
    }

    /** A completion of a request that may wait for long, so that it is left out of the statistics. */
    @FunctionalInterface
    interface UntimedCompletion extends Completion { }

    /** Called with a file's attributes, once. */
    @FunctionalInterface
    interface AttributesCompletion {
        /**
         * The answer.
         *
         * @param context    what was given with the request.
         * @param errno      0, or a positive errno: why they are not known.
         * @param attributes the attributes, borrowed for this call only; from a peer without the extension, only the
         *                   size.
         */
        void onAnswer(Object context, int errno, FileAttributes attributes);
    }

    /** A request that waits for its answer. Reused once it has been answered. */
    private static final class Pending {
        private int responseCommand;
        /** How many bytes a write carries. */
        private int length;
        private long sinceNs;
        /** Exactly one of these two is not null. */
        private Completion completion;
        private AttributesCompletion attributesCompletion;
        private Object context;
    }

    /** A write that waits for room on the link, or a message that waits behind one to the same file. */
    private interface Waiting {
        long handle();
    }

    /** A write that waits for room on the link. */
    private record WaitingWrite(
        long handle,
        long fileOffset,
        DirectBuffer buffer,
        int offset,
        int length,
        Completion completion,
        Object context) implements Waiting {
        void fail(final int errno) {
            completion.onAnswer(context, errno, 0, null, 0, 0);
        }
    }

    /** A message that must not overtake a write to the same file. Its request is in {@link #pending} already. */
    private record WaitingMessage(long handle, Runnable sending) implements Waiting { }

    private final Session session;
    private final Inbox inbox;
    private final Outbox outbox;
    private final int maxRequests;
    private final int maxWriteLength;
    private final EventLoop loop;
    private final SessionCounters counters;
    private final BooleanSupplier peerHasGreeted;
    private final FileAttributes attributes = new FileAttributes();
    private final HandleTable<Pending> pending = new HandleTable<>();
    private final ArrayDeque<Pending> idle = new ArrayDeque<>();
    /** In the order in which they were made. */
    private final ArrayDeque<Waiting> waiting = new ArrayDeque<>();
    private int waitingWrites;
    private long lastCookie;

    /**
     * @param peerHasGreeted whether the peer has greeted, and so understands {@link #sync} and {@link #appends}.
     */
    RemoteFileRequests(
        final Session session,
        final Inbox inbox,
        final Outbox outbox,
        final SessionLimits limits,
        final EventLoop loop,
        final SessionCounters counters,
        final BooleanSupplier peerHasGreeted) {
        this.peerHasGreeted = peerHasGreeted;
        this.session = session;
        this.inbox = inbox;
        this.outbox = outbox;
        this.maxRequests = limits.maxPendingFileRequests();
        // A write longer than the ring can ever hold would wait for ever.
        this.maxWriteLength = Math.min(RemoteFile.MAX_LENGTH, limits.maxPacketLength());
        this.loop = loop;
        this.counters = counters;
    }

    /** Whether the session goes on. */
    boolean isOpen() {
        return !session.hasEnded();
    }

    /** Whether the peer accepts {@link io.vsockproxy.file.FileRelay#END_OF_FILE} as the offset of a write. */
    boolean appends() {
        return peerHasGreeted.getAsBoolean();
    }

    /** Whether {@link #sync} makes anything durable. */
    boolean syncs() {
        return peerHasGreeted.getAsBoolean();
    }

    /** The cookie of the request made last. */
    long lastCookie() {
        return lastCookie;
    }

    /** Whether one more request may be sent. */
    boolean hasRoom() {
        return !session.hasEnded() && pending.size() + waitingWrites < maxRequests;
    }

    /**
     * Reads up to {@code count} bytes at {@code offset}.
     *
     * @return false when too many requests are pending or the session has ended: nothing was sent.
     */
    boolean pread(
        final long handle,
        final long count,
        final long offset,
        final Completion completion,
        final Object context) {
        if (!hasRoom()) {
            return false;
        }
        try {
            final long cookie = begin(Command.PREAD_RESPONSE, completion, context);
            if (isAwaited(handle)) {
                waitFor(handle, () -> outbox.sendPreadRequest(cookie, handle, count, offset));
            } else {
                outbox.sendPreadRequest(cookie, handle, count, offset);
                if (completion instanceof SplicedCompletion) {
                    inbox.onReadRequested(count);
                }
            }
        } catch (final ProtocolException e) {
            session.end(e.getMessage());
        }
        return true;
    }

    /**
     * Writes bytes, or only the first of them if they are more than one request carries. They may be overwritten when
     * this returns.
     *
     * @param buffer off-heap; the {@link PwriteRequestHeader#MAX_LENGTH} bytes in front of {@code offset} are
     *               overwritten, to frame the bytes where they lie.
     * @return false when too many requests are pending, the link has no room for the bytes now, or the session has
     *     ended: nothing was sent.
     */
    boolean pwrite(
        final long handle,
        final long fileOffset,
        final MutableDirectBuffer buffer,
        final int offset,
        final int length,
        final Completion completion,
        final Object context) {
        // Writes that wait for room are not overtaken, or a large one might wait for ever.
        if (!hasRoom() || !waiting.isEmpty()) {
            return false;
        }
        final long cookie = session.newHandle();
        final int carried = Math.min(length, maxWriteLength);
        if (!outbox.sendPwriteRequest(cookie, handle, fileOffset, buffer, offset, carried)) {
            return false;
        }
        expectWritten(cookie, carried, completion, context);
        return true;
    }

    /**
     * As {@link #pwrite}, but waits until the link has room for the bytes. Later requests about the same file are sent
     * later.
     *
     * @param buffer must not change until the completion is called.
     * @return false when too many requests are pending or the session has ended: nothing will be sent.
     */
    boolean pwriteWhenRoom(
        final long handle,
        final long fileOffset,
        final DirectBuffer buffer,
        final int offset,
        final int length,
        final Completion completion,
        final Object context) {
        if (!hasRoom()) {
            return false;
        }
        final int carried = Math.min(length, maxWriteLength);
        if (!waiting.isEmpty()
            || !send(handle, fileOffset, buffer, offset, carried, completion, context)) {
            waiting.add(new WaitingWrite(handle, fileOffset, buffer, offset, carried, completion, context));
            waitingWrites++;
            outbox.wantRoom();
        }
        return true;
    }

    /** There is room on the link again. */
    void onRoom() {
        boolean done = true;
        while (done && !waiting.isEmpty()) {
            // Taken out first: sending it, or failing it, may lead back here, or to the end of the session.
            final Waiting next = waiting.poll();
            final int writes = next instanceof WaitingWrite ? 1 : 0;
            waitingWrites -= writes;
            done = send(next);
            if (!done) {
                waiting.addFirst(next);
                waitingWrites += writes;
            }
        }
        if (!waiting.isEmpty()) {
            outbox.wantRoom();
        }
    }

    /** Tells the owner that the file is no longer used here. */
    void closeFile(final long handle) {
        if (isAwaited(handle)) {
            waitFor(handle, () -> outbox.sendClose(handle));
        } else {
            session.guarded(() -> outbox.sendClose(handle));
        }
    }

    /** Whether a write to the file, or a message behind one, waits for room. */
    private boolean isAwaited(final long handle) {
        if (!waiting.isEmpty()) {
            for (final Waiting earlier : waiting) {
                if (earlier.handle() == handle) {
                    return true;
                }
            }
        }
        return false;
    }

    private void waitFor(final long handle, final Runnable sending) {
        waiting.add(new WaitingMessage(handle, sending));
    }

    /** Asks for the attributes. Returns as {@link #pread}. */
    boolean fstat(final long handle, final AttributesCompletion completion, final Object context) {
        return fstat(handle, Sync.NONE, completion, context);
    }

    /**
     * Has the owner make durable what was written, and asks for the attributes. Returns as {@link #pread}. A peer
     * without the extension only sends the size, and makes nothing durable.
     *
     * @param dataOnly as by fdatasync(2).
     */
    boolean sync(
        final long handle, final boolean dataOnly, final AttributesCompletion completion, final Object context) {
        final int sync = dataOnly ? Sync.DATA : Sync.ALL;
        return fstat(handle, syncs() ? sync : Sync.NONE, completion, context);
    }

    private boolean fstat(
        final long handle, final int sync, final AttributesCompletion completion, final Object context) {
        if (!hasRoom()) {
            return false;
        }
        try {
            final long cookie = session.newHandle();
            expect(cookie, Command.FSTAT_RESPONSE, context).attributesCompletion = completion;
            if (isAwaited(handle)) {
                waitFor(handle, () -> outbox.sendFstatRequest(cookie, handle, sync));
            } else {
                outbox.sendFstatRequest(cookie, handle, sync);
            }
        } catch (final ProtocolException e) {
            session.end(e.getMessage());
        }
        return true;
    }

    /** Truncates or extends the file. Returns as {@link #pread}. */
    boolean ftruncate(
        final long handle, final long length, final Completion completion, final Object context) {
        if (!hasRoom()) {
            return false;
        }
        try {
            final long cookie = begin(Command.FTRUNCATE_RESPONSE, completion, context);
            if (isAwaited(handle)) {
                waitFor(handle, () -> outbox.sendFtruncateRequest(cookie, handle, length));
            } else {
                outbox.sendFtruncateRequest(cookie, handle, length);
            }
        } catch (final ProtocolException e) {
            session.end(e.getMessage());
        }
        return true;
    }

    /** Handles a response. Returns false when nobody waits for it, or it is of another kind than was asked for. */
    boolean onResponse(final MessageDecoder message) {
        final Pending request = pending.get(message.cookie());
        if (request == null || request.responseCommand != message.command()) {
            return false;
        }
        final Completion completion = request.completion;
        final AttributesCompletion attributesCompletion = request.attributesCompletion;
        final Object context = request.context;
        retire(message.cookie(), request);
        if (message.command() == Command.PREAD_RESPONSE && !(completion instanceof UntimedCompletion)) {
            counters.onPreadAnswered(loop.nowNs() - request.sinceNs);
        }
        final int errno = errno(message, request.length);
        switch (message.command()) {
            case Command.PREAD_RESPONSE -> completion.onAnswer(
                context, errno, 0, message.buffer(), message.blobOffset(), message.blobLength());
            case Command.PWRITE_RESPONSE -> completion.onAnswer(context, errno, message.bytesWritten(), null, 0, 0);
            case Command.FSTAT_RESPONSE -> attributesCompletion.onAnswer(context, errno, attributes.set(
                message.size(), message.mode(), message.links(), message.blocks(), message.accessTimeNs(),
                message.modificationTimeNs(), message.changeTimeNs()));
            default -> completion.onAnswer(context, errno, 0, null, 0, 0);
        }
        return true;
    }

    /**
     * The errno of a response, which is EIO if the response itself is wrong: an impossible error, or more bytes written
     * than were sent.
     */
    private static int errno(final MessageDecoder message, final int length) {
        final int errno = PeerErrno.of(message.errorCode());
        final boolean isWritten = errno == 0 && message.command() == Command.PWRITE_RESPONSE;
        return isWritten && (message.bytesWritten() < 0 || message.bytesWritten() > length) ? Errno.EIO : errno;
    }

    /** Whether the answer to request {@code cookie}, of {@code length} bytes, may come through {@code pipe}. */
    boolean beginSplice(final long cookie, final SplicePipe pipe, final long length) {
        final Pending request = pending.get(cookie);
        return request != null && request.responseCommand == Command.PREAD_RESPONSE
            && request.completion instanceof SplicedCompletion
            && ((SplicedCompletion) request.completion).beginSplice(request.context, pipe, (int) length);
    }

    /** The whole answer to request {@code cookie} is in {@code pipe}. */
    void onSpliced(final long cookie, final SplicePipe pipe) {
        final Pending request = pending.get(cookie);
        final SplicedCompletion completion = (SplicedCompletion) request.completion;
        final Object context = request.context;
        retire(cookie, request);
        counters.onPreadAnswered(loop.nowNs() - request.sinceNs);
        completion.onSpliced(context, pipe);
    }

    private void retire(final long cookie, final Pending request) {
        pending.remove(cookie);
        request.completion = null;
        request.attributesCompletion = null;
        request.context = null;
        idle.push(request);
    }

    /** The session has ended: every pending request is answered EIO. */
    void close() {
        final ArrayList<Pending> left = new ArrayList<>();
        pending.forEach(left::add);
        pending.clear();
        for (final Pending request : left) {
            if (request.responseCommand == Command.FSTAT_RESPONSE) {
                request.attributesCompletion.onAnswer(request.context, Errno.EIO, attributes.setSizeOnly(0));
            } else {
                request.completion.onAnswer(request.context, Errno.EIO, 0, null, 0, 0);
            }
        }
        final ArrayList<Waiting> unsent = new ArrayList<>(waiting);
        waiting.clear();
        waitingWrites = 0;
        for (final Waiting never : unsent) {
            if (never instanceof WaitingWrite write) {
                write.fail(Errno.EIO);
            }
        }
    }

    /** Sends what waits. Returns whether it is done with: it has been sent, or never can be. */
    private boolean send(final Waiting next) {
        if (next instanceof WaitingMessage message) {
            session.guarded(message.sending);
            return true;
        }
        final WaitingWrite write = (WaitingWrite) next;
        if (write.offset + write.length > write.buffer.capacity()) {
            // The bytes were there when the write was requested. Those behind it must not wait for ever.
            write.fail(Errno.EFAULT);
            return true;
        }
        return send(
            write.handle, write.fileOffset, write.buffer, write.offset, write.length, write.completion, write.context);
    }

    private boolean send(
        final long handle,
        final long fileOffset,
        final DirectBuffer buffer,
        final int offset,
        final int length,
        final Completion completion,
        final Object context) {
        final long cookie = session.newHandle();
        if (!outbox.sendPwriteRequestCopied(cookie, handle, fileOffset, buffer, offset, length)) {
            return false;
        }
        expectWritten(cookie, length, completion, context);
        return true;
    }

    private void expectWritten(
        final long cookie, final int length, final Completion completion, final Object context) {
        final Pending request = expect(cookie, Command.PWRITE_RESPONSE, context);
        request.completion = completion;
        request.length = length;
    }

    private long begin(final int responseCommand, final Completion completion, final Object context) {
        final long cookie = session.newHandle();
        expect(cookie, responseCommand, context).completion = completion;
        return cookie;
    }

    private Pending expect(final long cookie, final int responseCommand, final Object context) {
        Pending request = idle.poll();
        if (request == null) {
            request = new Pending();
        }
        request.responseCommand = responseCommand;
        request.sinceNs = loop.nowNs();
        request.context = context;
        pending.put(cookie, request);
        lastCookie = cookie;
        return request;
    }
}
