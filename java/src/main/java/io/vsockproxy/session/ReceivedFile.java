/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.session;

import io.vsockproxy.file.FileRelay;
import io.vsockproxy.fuse.FileBackend;
import io.vsockproxy.fuse.FuseRequest;
import io.vsockproxy.posix.Errno;
import org.agrona.DirectBuffer;
import org.agrona.MutableDirectBuffer;

/**
 * A regular file of the other side that an application here has open: the kernel's requests become requests to the
 * owner, whose answers go to the kernel ({@link KernelAnswers}). Confined to the loop's thread.
 *
 * <p>Once the owner or the session is gone, every request fails with EIO.
 */
final class ReceivedFile extends PeerFile implements FileBackend, FileRelay {
    private static final RemoteFileRequests.Completion RELAYED_READ_ANSWER =
        (context, errno, value, buffer, offset, length) -> {
            final FileRelay.Completion relayed = (FileRelay.Completion) context;
            if (errno != 0 || length > relayed.data().length()) {
                relayed.onDone(-(errno == 0 ? Errno.EIO : errno));
            } else {
                relayed.data().buffer().putBytes(0, buffer, offset, length);
                relayed.onDone(length);
            }
        };
    private static final RemoteFileRequests.Completion RELAYED_ANSWER =
        (context, errno, value, buffer, offset, length) -> {
            final FileRelay.Completion relayed = (FileRelay.Completion) context;
            relayed.onDone(errno != 0 ? -errno : Math.max(0, value));
        };
    private static final RemoteFileRequests.AttributesCompletion RELAYED_ATTRIBUTES_ANSWER =
        (context, errno, attributes) -> {
            final FileRelay.Completion relayed = (FileRelay.Completion) context;
            relayed.attributes().set(attributes);
            relayed.onDone(-errno);
        };

    private final ReceivedFiles files;
    private final RemoteFileRequests remote;
    private final RemoteFileRequests.Completion writeAnswer = this::onWritten;

    ReceivedFile(final ReceivedFiles files, final RemoteFileRequests remote, final long handle) {
        super(handle);
        this.files = files;
        this.remote = remote;
    }

    @Override
    public void read(final FuseRequest request, final long offset, final int length) {
        if (isOrphaned() || !remote.pread(handle, length, offset, KernelAnswers.READ, request)) {
            request.replyError(refusal());
        }
    }

    @Override
    public boolean write(
        final FuseRequest request,
        final long offset,
        final MutableDirectBuffer buffer,
        final int index,
        final int length) {
        if (request.isWriteBack() && !isOrphaned() && remote.isOpen() && !remote.hasRoom()) {
            // Refusing it would lose its pages.
            files.waitForRetry();
            return false;
        }
        if (isOrphaned() || !remote.hasRoom()) {
            request.replyError(refusal());
            return true;
        }
        final WriteWindow window = files.windowOf(request);
        if (!window.isOpen()) {
            files.waitForAnswer();
            return false;
        }
        final long at = request.isAppending() && remote.appends() ? END_OF_FILE : offset;
        if (!remote.pwrite(handle, at, buffer, index, length, writeAnswer, request)) {
            files.waitForRoom();
            return false;
        }
        window.onSent(length);
        return true;
    }

    private void onWritten(
        final Object context,
        final int errno,
        final long value,
        final DirectBuffer buffer,
        final int offset,
        final int length) {
        final FuseRequest request = (FuseRequest) context;
        final WriteWindow window = files.windowOf(request);
        final int asked = request.length();
        final int written = errno == 0 ? (int) value : 0;
        final boolean isPostponed = request.isWriteBack() && !isOrphaned() && remote.isOpen()
            && (errno == Errno.EAGAIN || (errno == 0 && written < asked));
        if (isPostponed && written == 0) {
            window.onRefused(asked);
            request.postpone(0);
            files.waitForRetry();
            return;
        }
        window.onAnswered(asked, written);
        if (isPostponed) {
            request.postpone(written);
            files.waitForAnswer();
        } else if (errno == 0 && request.isSynchronous()) {
            syncWritten(request, written);
        } else {
            KernelAnswers.WRITE.onAnswer(context, errno, value, buffer, offset, length);
        }
        files.onWriteAnswered(written);
    }

    private void syncWritten(final FuseRequest request, final long written) {
        request.tag(written);
        if (isOrphaned()
            || !remote.sync(handle, !request.isFullySynchronous(), KernelAnswers.DURABLE_WRITE, request)) {
            // It has been written, but it is unknown whether it is durable.
            request.replyError(Errno.EIO);
        }
    }

    @Override
    public Object room(final FuseRequest write) {
        return files.windowOf(write);
    }

    @Override
    public void getattr(final FuseRequest request) {
        if (isOrphaned() || !remote.fstat(handle, KernelAnswers.ATTRIBUTES, request)) {
            request.replyError(refusal());
        }
    }

    @Override
    public void truncate(final FuseRequest request, final long length) {
        if (isOrphaned() || !remote.ftruncate(handle, length, KernelAnswers.TRUNCATE, request)) {
            request.replyError(refusal());
        }
    }

    @Override
    public void fsync(final FuseRequest request, final boolean dataOnly) {
        if (isOrphaned() || !remote.sync(handle, dataOnly, KernelAnswers.SYNC, request)) {
            request.replyError(refusal());
        }
    }

    @Override
    public void released() {
        files.onReleased(this);
    }

    // ---- For another session that it was passed on to

    @Override
    public boolean appends() {
        return remote.appends();
    }

    @Override
    public int read(final long offset, final int length, final FileRelay.Completion completion) {
        return begun(!isOrphaned() && remote.pread(handle, length, offset, RELAYED_READ_ANSWER, completion));
    }

    @Override
    public int write(final long offset, final int length, final FileRelay.Completion completion) {
        if (offset == END_OF_FILE && !remote.appends()) {
            return -Errno.EOPNOTSUPP;
        }
        return begun(!isOrphaned() && remote.pwriteWhenRoom(
            handle, offset, completion.data().buffer(), 0, length, RELAYED_ANSWER, completion));
    }

    @Override
    public int examine(final FileRelay.Completion completion) {
        return begun(!isOrphaned() && remote.fstat(handle, RELAYED_ATTRIBUTES_ANSWER, completion));
    }

    @Override
    public int truncate(final long length, final FileRelay.Completion completion) {
        return begun(!isOrphaned() && remote.ftruncate(handle, length, RELAYED_ANSWER, completion));
    }

    @Override
    public int sync(final boolean dataOnly, final FileRelay.Completion completion) {
        return begun(!isOrphaned() && remote.sync(handle, dataOnly, RELAYED_ATTRIBUTES_ANSWER, completion));
    }

    private int begun(final boolean sent) {
        return sent ? 0 : -refusal();
    }

    private int refusal() {
        return isOrphaned() || !remote.isOpen() ? Errno.EIO : Errno.EAGAIN;
    }
}
