/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.file;

import io.vsockproxy.file.FileRequest.State;
import io.vsockproxy.posix.Constants;
import io.vsockproxy.posix.Errno;
import io.vsockproxy.posix.IoVec;
import io.vsockproxy.posix.Memory;
import io.vsockproxy.posix.Syscalls;
import org.agrona.concurrent.UnsafeBuffer;

/**
 * Answers reads that need not wait for a disk, in one of two ways: the bytes are copied into the outbound ring by
 * preadv2(RWF_NOWAIT), or a mapped range of the file itself serves as the answer's bytes.
 *
 * <p>Mapping saves the copy, but a page has to be faulted in before its first use, which costs more than copying it
 * once, and mincore(2) has to be asked whether the range is resident. So only large reads of files that have been read
 * through before use a mapping; the minimum lengths were measured, see {@link FileLimits#DEFAULTS}.
 *
 * <p>Files on FUSE or a network file system are never mapped: a page fault could wait for a server, which may even be
 * this very loop. Confined to the loop's thread.
 */
final class FileReader implements AutoCloseable {
    /** The outcome of an attempt to answer a read without waiting. */
    enum Attempt { ANSWERED, NO_ROOM, WOULD_BLOCK }

    private final FileWindows windows;
    private final FileResponses responses;
    private final FileLimits limits;
    private final FileRequestPool pool;
    private final Memory scratch = Memory.allocate(FileRequest.SCRATCH_LENGTH);
    private final UnsafeBuffer iovec = scratch.buffer();

    FileReader(
        final FileWindows windows, final FileResponses responses, final FileLimits limits, final FileRequestPool pool) {
        this.windows = windows;
        this.responses = responses;
        this.limits = limits;
        this.pool = pool;
    }

    /**
     * Tries to answer a read.
     *
     * @param request the request, if the file lists it already, or null. If the answer lies in the mapped file, this
     *                request, or else a new one, is listed as {@link State#RIDING}.
     * @return ANSWERED, possibly with an error; NO_ROOM; or WOULD_BLOCK.
     */
    Attempt read(
        final LocalFile file, final long cookie, final int length, final long offset, final FileRequest request) {
        if (file.kind() == FileSystemKind.UNKNOWN && length >= limits.minMappedDiskRead()
            && isReadOver(file, FileRequest.size(file.fd(), scratch.buffer()))) {
            // A worker reads it, and also finds out whether the file can be mapped.
            return Attempt.WOULD_BLOCK;
        }
        if (file.isMappable() && length >= border(file)) {
            final Attempt attempt = readMapped(file, cookie, length, offset, request);
            if (attempt != null) {
                return attempt;
            }
        }
        return readCopied(file, cookie, length, offset);
    }

    /** Whether the result of a call that must not wait is an answer, rather than a reason to let a worker try. */
    static boolean isFinal(final long result) {
        return result < 0 && result != -Errno.EAGAIN && result != -Errno.EOPNOTSUPP;
    }

    @Override
    public void close() {
        scratch.close();
    }

    private int border(final LocalFile file) {
        return switch (file.kind()) {
            case DISK -> limits.minMappedDiskRead();
            case MEMORY -> limits.minMappedMemoryRead();
            default -> FileLimits.NEVER_MAPPED;
        };
    }

    /** Whether the file has been read by copying so often that mapping it pays. */
    private boolean isReadOver(final LocalFile file, final long size) {
        return size >= 0 && size <= FileWindow.MAX_MAPPED_OFFSET
            && (limits.passesBeforeMapping() == 0 || file.copiedLength() / limits.passesBeforeMapping() >= size);
    }

    /** As {@link #read}; null when the bytes should be copied instead. */
    private Attempt readMapped(
        final LocalFile file, final long cookie, final int length, final long offset, final FileRequest request) {
        final long size = FileRequest.size(file.fd(), scratch.buffer());
        if (!isReadOver(file, size)) {
            return null;
        }
        final int available = (int) Math.max(0, Math.min(length, size - offset));
        if (available < border(file)) {
            return null;
        }
        final FileWindow window = windows.pin(file, offset, available);
        if (window == null) {
            return null;
        }
        // Also false for a hole of a file, of which no page is resident: faulting it in would allocate memory for each
        // page of a sparse tmpfs file that somebody reads, which copying does not.
        if (!windows.isResident(window, offset, available)) {
            windows.unpin(window);
            return null;
        }
        return ride(file, cookie, offset, available, window, request);
    }

    private Attempt ride(
        final LocalFile file, final long cookie, final long offset, final int length, final FileWindow window,
        final FileRequest request) {
        final FileRequest riding;
        if (request == null) {
            riding = pool.acquire();
            riding.begin(file, FileRequest.Operation.READ, cookie, offset, length);
            file.append(riding);
        } else {
            riding = request;
        }
        riding.window = window;
        riding.result = length;
        riding.state = State.RIDING;
        if (responses.sendRead(cookie, riding)) {
            return Attempt.ANSWERED;
        }
        riding.window = null;
        riding.state = State.WAITING;
        windows.unpin(window);
        if (request == null) {
            file.remove(riding);
            pool.release(riding);
        }
        return Attempt.NO_ROOM;
    }

    private Attempt readCopied(final LocalFile file, final long cookie, final int length, final long offset) {
        final boolean memory = file.kind() == FileSystemKind.MEMORY;
        if (!memory && file.refusesNowaitRead()) {
            return Attempt.WOULD_BLOCK;
        }
        if (!responses.claimRead(length)) {
            return Attempt.NO_ROOM;
        }
        final int flags = memory ? 0 : Constants.RWF_NOWAIT;
        int done = 0;
        long count = 1;
        // A short count may mean the end of the file or of what is in memory; only another read tells.
        while (done < length && count > 0) {
            IoVec.set(iovec, 0, responses.readAddress() + done, length - done);
            count = Syscalls.preadv2(file.fd(), scratch.address(), 1, offset + done, flags);
            done += (int) Math.max(0, count);
        }
        if (done == length || count == 0) {
            file.addCopiedLength(done);
            responses.commitRead(cookie, done);
            return Attempt.ANSWERED;
        }
        responses.abortRead();
        if (isFinal(count)) {
            responses.readWithoutData(cookie, (int) -count);
            return Attempt.ANSWERED;
        }
        if (count == -Errno.EOPNOTSUPP) {
            file.setRefusesNowaitRead();
        }
        return Attempt.WOULD_BLOCK;
    }
}
