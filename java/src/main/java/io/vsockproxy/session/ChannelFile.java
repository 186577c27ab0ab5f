/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.session;

import io.vsockproxy.channel.RemoteFile;
import io.vsockproxy.posix.Errno;
import io.vsockproxy.stream.ChannelCommons;
import org.agrona.DirectBuffer;
import org.agrona.MutableDirectBuffer;

/**
 * A regular file of the other side that a channel's component has. The component's requests are sent as the session's.
 */
final class ChannelFile extends PeerFile implements RemoteFile {
    /** One request. Reused once it has been answered. */
    private static final class Request {
        private ChannelFile file;
        private MutableDirectBuffer buffer;
        private int index;
        private int length;
        private long correlationId;
        private Completion completion;
        private Request next;
    }

    private static final RemoteFileRequests.Completion ANSWER = (context, errno, value, buffer, offset, length) -> {
        final Request request = (Request) context;
        request.file.onAnswer(request, errno, value, buffer, offset, length);
    };

    private static final RemoteFileRequests.AttributesCompletion ATTRIBUTES = (context, errno, attributes) -> {
        final Request request = (Request) context;
        request.file.onAnswer(request, errno, attributes.size(), null, 0, 0);
    };

    private static final RemoteFileRequests.AttributesCompletion SYNCED = (context, errno, attributes) -> {
        final Request request = (Request) context;
        request.file.onAnswer(request, errno, 0, null, 0, 0);
    };

    /** The peer does not know the request to sync, and has only sent the size. */
    private static final RemoteFileRequests.AttributesCompletion NOT_SYNCED = (context, errno, attributes) -> {
        final Request request = (Request) context;
        request.file.onAnswer(request, errno == 0 ? Errno.EOPNOTSUPP : errno, 0, null, 0, 0);
    };

    private final ReceivedFiles files;
    private final RemoteFileRequests remote;
    private final ChannelCommons commons;
    private final int statusFlags;
    private Request idle;
    private boolean closed;

    ChannelFile(
        final ReceivedFiles files,
        final RemoteFileRequests remote,
        final ChannelCommons commons,
        final long handle,
        final int statusFlags) {
        super(handle);
        this.files = files;
        this.remote = remote;
        this.commons = commons;
        this.statusFlags = statusFlags;
    }

    @Override
    public boolean pread(
        final long position,
        final MutableDirectBuffer buffer,
        final int index,
        final int length,
        final long correlationId,
        final Completion completion) {
        check(position, buffer, index, length);
        if (!hasRoom()) {
            return false;
        }
        final Request request = begin(correlationId, completion);
        request.buffer = buffer;
        request.index = index;
        request.length = Math.min(length, MAX_LENGTH);
        return begun(request, remote.pread(handle, request.length, position, ANSWER, request));
    }

    @Override
    public boolean pwrite(
        final long position,
        final DirectBuffer buffer,
        final int index,
        final int length,
        final long correlationId,
        final Completion completion) {
        check(position, buffer, index, length);
        if (!hasRoom()) {
            return false;
        }
        final Request request = begin(correlationId, completion);
        return begun(request, remote.pwriteWhenRoom(
            handle, position, buffer, index, length, ANSWER, request));
    }

    @Override
    public boolean fstat(final long correlationId, final Completion completion) {
        commons.check();
        if (!hasRoom()) {
            return false;
        }
        final Request request = begin(correlationId, completion);
        return begun(request, remote.fstat(handle, ATTRIBUTES, request));
    }

    @Override
    public boolean ftruncate(final long length, final long correlationId, final Completion completion) {
        commons.check();
        if (length < 0) {
            throw new IllegalArgumentException("length=" + length + ", min=0");
        }
        if (!hasRoom()) {
            return false;
        }
        final Request request = begin(correlationId, completion);
        return begun(request, remote.ftruncate(handle, length, ANSWER, request));
    }

    @Override
    public boolean sync(final boolean dataOnly, final long correlationId, final Completion completion) {
        commons.check();
        if (!hasRoom()) {
            return false;
        }
        final Request request = begin(correlationId, completion);
        return begun(request, remote.sync(handle, dataOnly, remote.syncs() ? SYNCED : NOT_SYNCED, request));
    }

    @Override
    public int statusFlags() {
        return statusFlags;
    }

    @Override
    public boolean isOpen() {
        return !closed && !isOrphaned() && remote.isOpen();
    }

    @Override
    public void close() {
        if (isOpen()) {
            commons.check();
        }
        if (!closed) {
            closed = true;
            files.onReleased(this);
        }
    }

    private void check(final long position, final DirectBuffer buffer, final int index, final int length) {
        commons.check();
        buffer.boundsCheck(index, length);
        if (position < 0) {
            throw new IllegalArgumentException("position=" + position + ", min=0");
        }
    }

    private boolean hasRoom() {
        return isOpen() && remote.hasRoom();
    }

    private Request begin(final long correlationId, final Completion completion) {
        Request request = idle;
        if (request == null) {
            request = new Request();
            request.file = this;
        } else {
            idle = request.next;
            request.next = null;
        }
        request.correlationId = correlationId;
        request.completion = completion;
        return request;
    }

    private boolean begun(final Request request, final boolean sent) {
        if (!sent) {
            giveBack(request);
        }
        return sent;
    }

    private void giveBack(final Request request) {
        request.buffer = null;
        request.completion = null;
        request.next = idle;
        idle = request;
    }

    private void onAnswer(
        final Request request,
        final int errno,
        final long value,
        final DirectBuffer data,
        final int offset,
        final int length) {
        long result = errno == 0 ? value : -errno;
        if (request.buffer != null && errno == 0) {
            if (length > request.length) {
                // More than was asked for must not be written to the caller's buffer.
                result = -Errno.EIO;
            } else if (request.index + length > request.buffer.capacity()) {
                // There was room when the request was made.
                result = -Errno.EFAULT;
            } else {
                request.buffer.putBytes(request.index, data, offset, length);
                result = length;
            }
        }
        final long correlationId = request.correlationId;
        final Completion completion = request.completion;
        giveBack(request);
        commons.complete(completion, this, correlationId, result);
    }
}
