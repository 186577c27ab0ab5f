/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.session;

import io.vsockproxy.fuse.FileBackend;
import io.vsockproxy.fuse.FuseRequest;
import io.vsockproxy.posix.Constants;
import io.vsockproxy.posix.Errno;
import io.vsockproxy.posix.PollEvents;
import java.util.ArrayList;
import org.agrona.DirectBuffer;
import org.agrona.MutableDirectBuffer;
import org.agrona.collections.Long2ObjectHashMap;
import org.agrona.collections.LongHashSet;

/**
 * A pipe or FIFO of the other side, open for reading and writing, that an application here has: a file on the mount,
 * whose reads and writes become requests to the owner. Confined to the loop's thread.
 *
 * <p>The owner answers every request, even an interrupted one, and the kernel gets that answer and no other, so no byte
 * that the owner has taken from the FIFO is lost. Once the owner or the session is gone, every request fails with EIO.
 */
final class ReceivedFifo extends PeerFile implements FileBackend {
    /**
     * In bytes: a longer read is shortened to this. The kernel divides a long read(2) into parts, and asks for the next
     * part whenever it gets one in full; then the application would wait for more although it could have the first
     * part. The kernel's parts are longer than this, so it never gets one in full.
     */
    private static final int MAX_READ_LENGTH = 64 << 10;
    /** How many open files can wait to be woken; with more, all are woken, needlessly. */
    private static final int MAX_WAKERS = 256;
    private static final int SHOWN =
        PollEvents.READABLE | PollEvents.WRITABLE | PollEvents.ERROR | PollEvents.HANG_UP;
    private static final int GONE = PollEvents.ERROR | PollEvents.HANG_UP;

    private final ReceivedFiles files;
    private final RemoteFileRequests remote;
    private final Long2ObjectHashMap<FuseRequest> polls = new Long2ObjectHashMap<>();
    private final LongHashSet wakers = new LongHashSet();
    /** The answer to a read that counted among those that may wait. */
    private final RemoteFileRequests.UntimedCompletion readAnswer = this::onRead;
    /** To a write. */
    private final RemoteFileRequests.Completion writeAnswer = this::onWritten;
    private long lastToken;

    ReceivedFifo(final ReceivedFiles files, final RemoteFileRequests remote, final long handle) {
        super(handle);
        this.files = files;
        this.remote = remote;
    }

    /** Whether the peer of {@code session} owns it, and still has it open. */
    boolean isOwnedByPeerOf(final Session session) {
        return !isOrphaned() && files.isOf(session);
    }

    @Override
    public boolean isStream() {
        return true;
    }

    @Override
    public void read(final FuseRequest request, final long offset, final int length) {
        if (isOrphaned() || !files.mayWait() || !remote.pread(
            handle, Math.min(length, MAX_READ_LENGTH), waitBit(request), readAnswer, request)) {
            request.replyError(refusal());
            return;
        }
        files.beginWait();
        request.tag(remote.lastCookie());
    }

    @Override
    public boolean write(
        final FuseRequest request,
        final long offset,
        final MutableDirectBuffer buffer,
        final int index,
        final int length) {
        if (isOrphaned() || !files.mayWait() || !remote.hasRoom()) {
            request.replyError(refusal());
            return true;
        }
        if (!remote.pwrite(
            handle, waitBit(request), buffer, index, length, writeAnswer, request)) {
            files.waitForRoom();
            return false;
        }
        files.beginWait();
        request.tag(remote.lastCookie());
        return true;
    }

    @Override
    public Object room(final FuseRequest write) {
        return files;
    }

    @Override
    public void getattr(final FuseRequest request) {
        if (isOrphaned() || !remote.fstat(handle, KernelAnswers.ATTRIBUTES, request)) {
            request.replyError(refusal());
        }
    }

    @Override
    public void truncate(final FuseRequest request, final long length) {
        request.replyError(Errno.EINVAL);
    }

    @Override
    public void poll(final FuseRequest request, final int events, final long waker) {
        if (isOrphaned() || !files.mayWait()) {
            // When too many wait, it is reported ready, and the read or write then fails with EAGAIN. Reported as gone,
            // it would be closed.
            request.replyPoll(isGone() ? GONE : PollEvents.READABLE | PollEvents.WRITABLE);
            return;
        }
        if (waker != 0) {
            if (wakers.size() >= MAX_WAKERS) {
                wakeAll();
            }
            wakers.add(waker);
        }
        files.beginWait();
        final long token = ++lastToken;
        polls.put(token, request);
        files.sendWatch(handle, token, events & SHOWN, waker != 0);
    }

    @Override
    public void interrupted(final FuseRequest request) {
        if (request.tag() != 0 && !isOrphaned()) {
            files.sendCancel(request.tag());
        }
    }

    @Override
    public void released() {
        files.onReleased(this);
        endPolls();
    }

    /** The owner reports events: in answer to a WATCH, or, with token 0, so that applications ask again. */
    void onReady(final long token, final int events) {
        if (token == 0) {
            wakeAll();
            return;
        }
        final FuseRequest request = polls.remove(token);
        if (request != null) {
            files.endWait();
            request.replyPoll(events & SHOWN);
        }
    }

    @Override
    void onOrphaned() {
        endPolls();
        wakeAll();
    }

    private void onRead(
        final Object context,
        final int errno,
        final long value,
        final DirectBuffer buffer,
        final int offset,
        final int length) {
        files.endWait();
        KernelAnswers.READ.onAnswer(context, errno, value, buffer, offset, length);
    }

    private void onWritten(
        final Object context,
        final int errno,
        final long value,
        final DirectBuffer buffer,
        final int offset,
        final int length) {
        files.endWait();
        KernelAnswers.WRITE.onAnswer(context, errno, value, buffer, offset, length);
    }

    private void endPolls() {
        final ArrayList<FuseRequest> left = new ArrayList<>(polls.values());
        polls.clear();
        for (final FuseRequest request : left) {
            files.endWait();
            request.replyPoll(GONE);
        }
    }

    private void wakeAll() {
        final LongHashSet.LongIterator each = wakers.iterator();
        while (each.hasNext()) {
            files.wake(each.nextValue());
        }
        wakers.clear();
    }

    /** What the request carries in place of an offset: 1 when it must not wait. */
    private static long waitBit(final FuseRequest request) {
        return (request.statusFlags() & Constants.O_NONBLOCK) != 0 ? 1 : 0;
    }

    private int refusal() {
        return isGone() ? Errno.EIO : Errno.EAGAIN;
    }

    private boolean isGone() {
        return isOrphaned() || !remote.isOpen();
    }
}
