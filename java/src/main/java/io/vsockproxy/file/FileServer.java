/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.file;

import io.vsockproxy.file.FileReader.Attempt;
import io.vsockproxy.file.FileRequest.Operation;
import io.vsockproxy.posix.Constants;
import io.vsockproxy.posix.Errno;
import io.vsockproxy.posix.FileAttributes;
import io.vsockproxy.posix.IoVec;
import io.vsockproxy.posix.Memory;
import io.vsockproxy.posix.Syscalls;
import org.agrona.DirectBuffer;

/**
 * Answers one session's requests for files of this side.
 *
 * <p>What need not wait for a disk is done and answered at once, reads by {@link FileReader}; everything else becomes
 * one of the {@link PendingFileRequests}. Confined to the loop's thread.
 */
public final class FileServer implements AutoCloseable {
    /** Writes up to this length, in bytes, are done on the loop when they only touch memory. */
    private static final int MAX_INLINE_WRITE_LENGTH = 1 << 20;

    private final FileResponses responses;
    private final FileLimits limits;
    private final PendingFileRequests pending;
    private final FileReader reader;
    private final Memory scratch = Memory.allocate(FileRequest.SCRATCH_LENGTH);
    private final FileAttributes attributes = new FileAttributes();

    /**
     * @param workers shared by all sessions, as are {@code windows}. Both are borrowed.
     */
    public FileServer(
        final FileWorkers workers, final FileWindows windows, final FileResponses responses, final FileLimits limits) {
        this.responses = responses;
        this.limits = limits;
        pending = new PendingFileRequests(workers, windows, responses, limits);
        reader = pending.reader();
    }

    /**
     * Reads.
     *
     * @param count  bytes, unsigned; more than the limit is shortened.
     * @param offset unsigned; EINVAL from 2^63 on, which is negative here.
     */
    public void read(final LocalFile file, final long cookie, final long count, final long offset) {
        if (offset < 0 || count == 0) {
            responses.readWithoutData(cookie, offset < 0 ? Errno.EINVAL : 0);
            return;
        }
        if (file.relay() != null && !file.isReadable()) {
            responses.readWithoutData(cookie, Errno.EBADF);
            return;
        }
        final int length = count < 0 || count > limits.maxReadLength() ? limits.maxReadLength() : (int) count;
        Attempt attempt = Attempt.NO_ROOM;
        if (!file.hasPendingChanges() && !pending.isRoomAwaited()) {
            attempt = reader.read(file, cookie, length, offset, null);
        }
        if (attempt != Attempt.ANSWERED
            && !pending.addRead(file, cookie, offset, length, attempt == Attempt.WOULD_BLOCK)) {
            responses.readWithoutData(cookie, Errno.EAGAIN);
        }
    }

    /** Writes to {@code offset} or {@link FileRelay#END_OF_FILE}. The bytes are borrowed for this call only. */
    public void write(
        final LocalFile file,
        final long cookie,
        final DirectBuffer buffer,
        final int index,
        final int length,
        final long offset) {
        final boolean appending = offset == FileRelay.END_OF_FILE;
        final boolean isRefused = file.relay() != null && !file.isWritable();
        if ((offset < 0 && !appending) || isRefused) {
            responses.written(cookie, isRefused ? Errno.EBADF : Errno.EINVAL, 0);
            return;
        }
        if (length == 0 && file.relay() != null) {
            // An empty write has no buffer that a relay could pass on.
            responses.written(cookie, 0, 0);
            return;
        }
        long done = 0;
        final boolean memory = file.kind() == FileSystemKind.MEMORY && length <= MAX_INLINE_WRITE_LENGTH;
        pending.learnSize(file);
        final boolean free = appending ? file.isIdle() : file.isFreeToWrite(offset, length);
        if (length > 0 && (memory || !file.refusesNowaitWrite()) && free) {
            IoVec.set(scratch.buffer(), 0, buffer.addressOffset() + index, length);
            final int flags = (memory ? 0 : Constants.RWF_NOWAIT) | (appending ? Constants.RWF_APPEND : 0);
            done = Syscalls.pwritev2(file.fd(), scratch.address(), 1, appending ? 0 : offset, flags);
            if (done == length || memory || FileReader.isFinal(done)) {
                responses.written(cookie, done < 0 ? (int) -done : 0, Math.max(0, done));
                return;
            }
            if (done == -Errno.EOPNOTSUPP) {
                file.setRefusesNowaitWrite();
            }
        }
        final int written = (int) Math.max(0, done);
        pending.addWrite(file, cookie, buffer, index, length, offset, written);
    }

    /** Whether every request has been answered. */
    public boolean isIdle() {
        return pending.isIdle();
    }

    /** Asks for the size, mode, times and whatever else {@link FileAttributes} has. */
    public void examine(final LocalFile file, final long cookie) {
        if (!file.hasPendingChanges() && file.kind().hasLocalAttributes()) {
            final int error = Syscalls.statx(
                file.fd(), Constants.AT_STATX_DONT_SYNC, Constants.STATX_BASIC_STATS, scratch.address());
            responses.examined(cookie, Math.max(0, -error), attributes.readStatx(scratch.buffer()));
            return;
        }
        if (!pending.add(file, Operation.EXAMINE, cookie, 0, 0)) {
            responses.examined(cookie, Errno.EAGAIN, attributes);
        }
    }

    /**
     * Makes durable what was written before, as far as this kernel's answer can be trusted, then reports the
     * attributes.
     *
     * @param dataOnly whether the effect of fdatasync(2) suffices.
     */
    public void sync(final LocalFile file, final long cookie, final boolean dataOnly) {
        if (!pending.add(file, Operation.SYNC, cookie, 0, dataOnly ? 1 : 0)) {
            responses.examined(cookie, Errno.EAGAIN, attributes);
        }
    }

    /** Truncates or extends the file to {@code length} bytes. */
    public void truncate(final LocalFile file, final long cookie, final long length) {
        if (length < 0 || (file.relay() != null && !file.isWritable())) {
            responses.truncated(cookie, Errno.EINVAL);
        } else if (!pending.add(file, Operation.TRUNCATE, cookie, 0, length)) {
            responses.truncated(cookie, Errno.EAGAIN);
        }
    }

    /** There is room for answers again. */
    public void onRoom() {
        pending.onRoom();
    }

    /** The other side has closed the file. Requests that it made before are still carried out. */
    public void close(final LocalFile file) {
        pending.close(file);
    }

    /** The session has ended and the link is closed: requests not begun are dropped, no more answers are given. */
    @Override
    public void close() {
        pending.close();
        scratch.close();
    }

    /** Closes a file of a session that has ended. */
    public void abandon(final LocalFile file) {
        pending.abandon(file);
    }

    /** How many requests have not been answered. */
    int requestCount() {
        return pending.count();
    }
}
