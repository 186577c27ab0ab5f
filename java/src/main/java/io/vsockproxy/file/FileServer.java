/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.file;

import io.vsockproxy.posix.Constants;
import io.vsockproxy.posix.Errno;
import io.vsockproxy.posix.IoVec;
import io.vsockproxy.posix.Memory;
import io.vsockproxy.posix.Syscalls;
import java.util.ArrayDeque;
import org.agrona.DirectBuffer;
import org.agrona.concurrent.UnsafeBuffer;

/**
 * Answers one session's file requests.
 *
 * <p>What is in memory is answered at once: RWF_NOWAIT reads straight into the outbound ring. What would wait for a
 * disk goes to a worker. Requests for one file are answered in the order in which they came.
 */
public final class FileServer implements AutoCloseable {
    private static final int IOVEC_OFFSET = 0;
    private static final int STATX_OFFSET = IoVec.LENGTH;

    /** What became of a request on the loop. */
    private enum Attempt { ANSWERED, NO_ROOM, WOULD_BLOCK }

    private final FileWorkers workers;
    private final FileResponses responses;
    private final int maxRequests;
    private final int maxReadLength;
    private final Memory scratch = Memory.allocate(STATX_OFFSET + Constants.SIZEOF_STATX);
    private final UnsafeBuffer iovec = new UnsafeBuffer(scratch.buffer(), IOVEC_OFFSET, IoVec.LENGTH);
    private final ArrayDeque<LocalFile> waitingForRoom = new ArrayDeque<>();
    private int requestCount;
    private boolean closed;

    /**
     * @param maxRequests   requests waiting at once; one more is answered EAGAIN.
     * @param maxReadLength a longer read is served short.
     */
    public FileServer(
        final FileWorkers workers, final FileResponses responses, final int maxRequests, final int maxReadLength) {
        this.workers = workers;
        this.responses = responses;
        this.maxRequests = maxRequests;
        this.maxReadLength = maxReadLength;
    }

    /**
     * Reads.
     *
     * @param count  unsigned; more than the limit is served short.
     * @param offset from 2^63 on, which is negative here, EINVAL.
     */
    public void read(final LocalFile file, final long cookie, final long count, final long offset) {
        if (offset < 0) {
            responses.readFailed(cookie, Errno.EINVAL);
            return;
        }
        final int length = count < 0 || count > maxReadLength ? maxReadLength : (int) count;
        if (!file.requests().isEmpty() || readNow(file, cookie, length, offset) != Attempt.ANSWERED) {
            submit(new FileRequest(file, FileRequest.Operation.READ, cookie, offset, length));
        }
    }

    /** Writes; the bytes are read before this returns. */
    public void write(
        final LocalFile file,
        final long cookie,
        final DirectBuffer buffer,
        final int index,
        final int length,
        final long offset) {
        if (offset < 0) {
            responses.written(cookie, Errno.EINVAL, 0);
            return;
        }
        long done = 0;
        if (file.requests().isEmpty() && length > 0) {
            IoVec.set(iovec, 0, buffer.addressOffset() + index, length);
            done = Syscalls.pwritev2(file.fd(), scratch.address(), 1, offset, Constants.RWF_NOWAIT);
            if (done == length || isFinal(done)) {
                responses.written(cookie, done < 0 ? (int) -done : 0, Math.max(0, done));
                return;
            }
        }
        final int written = (int) Math.max(0, done);
        final FileRequest request = new FileRequest(
            file, FileRequest.Operation.WRITE, cookie, offset + written, length - written);
        request.alreadyWritten = written;
        if (requestCount < maxRequests) {
            request.data = Memory.allocate(length - written + IoVec.LENGTH);
            request.data.buffer().putBytes(0, buffer, index + written, length - written);
        }
        submit(request);
    }

    /** Tells the size. */
    public void examine(final LocalFile file, final long cookie) {
        if (file.requests().isEmpty() && file.isLocalFileSystem()) {
            final int error = Syscalls.statx(
                file.fd(), 0, Constants.STATX_BASIC_STATS, scratch.address(STATX_OFFSET, Constants.SIZEOF_STATX));
            responses.examined(
                cookie, -error, error < 0 ? 0 : scratch.buffer().getLong(STATX_OFFSET + Constants.STATX_SIZE_OFFSET));
        } else {
            submit(new FileRequest(file, FileRequest.Operation.EXAMINE, cookie, 0, 0));
        }
    }

    /** Cuts or extends. */
    public void truncate(final LocalFile file, final long cookie, final long length) {
        if (length < 0) {
            responses.truncated(cookie, Errno.EINVAL);
        } else {
            submit(new FileRequest(file, FileRequest.Operation.TRUNCATE, cookie, 0, length));
        }
    }

    /** There is room for answers again. */
    public void onRoom() {
        for (int left = waitingForRoom.size(); left > 0; left--) {
            final LocalFile file = waitingForRoom.poll();
            file.waitingForRoom(false);
            advance(file);
        }
    }

    /** The other side is done with the file; requests that it made before are still carried out. */
    public void close(final LocalFile file) {
        file.markClosed();
        if (file.requests().isEmpty()) {
            workers.close(file.descriptor());
        }
    }

    /** The session has ended: requests not begun are dropped, no more answers are given. */
    @Override
    public void close() {
        closed = true;
        waitingForRoom.clear();
        scratch.close();
    }

    /** Closes a file of a session that has ended. */
    public void abandon(final LocalFile file) {
        final FileRequest first = file.requests().peek();
        final boolean withWorker = first != null && first.state == FileRequest.State.WITH_WORKER;
        if (withWorker) {
            file.requests().poll();
        }
        file.requests().forEach(FileRequest::releaseData);
        file.requests().clear();
        if (withWorker) {
            file.requests().add(first);
        }
        close(file);
    }

    /** Whether a result is an answer, rather than a reason to let a worker try. */
    private static boolean isFinal(final long result) {
        return result < 0 && result != -Errno.EAGAIN && result != -Errno.EOPNOTSUPP;
    }

    private Attempt readNow(final LocalFile file, final long cookie, final int length, final long offset) {
        if (!responses.claimRead(length)) {
            return Attempt.NO_ROOM;
        }
        int done = 0;
        long count = 1;
        // A short count may be the end of the file or of what is in memory: only asking on tells.
        while (done < length && count > 0) {
            IoVec.set(iovec, 0, responses.readAddress() + done, length - done);
            count = Syscalls.preadv2(file.fd(), scratch.address(), 1, offset + done, Constants.RWF_NOWAIT);
            done += (int) Math.max(0, count);
        }
        if (done == length || count == 0) {
            responses.commitRead(cookie, done);
            return Attempt.ANSWERED;
        }
        responses.abortRead();
        if (isFinal(count)) {
            responses.readFailed(cookie, (int) -count);
            return Attempt.ANSWERED;
        }
        return Attempt.WOULD_BLOCK;
    }

    private void submit(final FileRequest request) {
        if (requestCount >= maxRequests) {
            request.result = -Errno.EAGAIN;
            respond(request);
            return;
        }
        requestCount++;
        request.file.requests().add(request);
        if (request.file.requests().size() == 1) {
            advance(request.file);
        }
    }

    /** Answers, or hands to a worker, the first request of {@code file}, and those after it as far as possible. */
    private void advance(final LocalFile file) {
        FileRequest request = file.requests().peek();
        while (request != null && request.state != FileRequest.State.WITH_WORKER) {
            final Attempt attempt = request.state == FileRequest.State.DONE ? respond(request) : start(request);
            if (attempt == Attempt.WOULD_BLOCK) {
                final FileRequest submitted = request;
                request.state = FileRequest.State.WITH_WORKER;
                workers.submit(submitted::perform, () -> onPerformed(submitted));
                return;
            }
            if (attempt == Attempt.NO_ROOM) {
                if (!file.isWaitingForRoom()) {
                    file.waitingForRoom(true);
                    waitingForRoom.add(file);
                }
                return;
            }
            request.releaseData();
            file.requests().poll();
            requestCount--;
            request = file.requests().peek();
        }
        if (request == null && file.isClosed()) {
            workers.close(file.descriptor());
        }
    }

    private void onPerformed(final FileRequest request) {
        request.state = FileRequest.State.DONE;
        if (closed) {
            request.releaseData();
            request.file.requests().clear();
            workers.close(request.file.descriptor());
        } else {
            advance(request.file);
        }
    }

    private Attempt start(final FileRequest request) {
        return request.operation == FileRequest.Operation.READ
            ? readNow(request.file, request.cookie, (int) request.length, request.offset)
            : Attempt.WOULD_BLOCK;
    }

    /** Answers a request that is done: ANSWERED or NO_ROOM. */
    private Attempt respond(final FileRequest request) {
        final long result = request.result;
        final int errno = Errno.isError(result) ? (int) -result : 0;
        switch (request.operation) {
            case READ -> {
                if (errno != 0) {
                    responses.readFailed(request.cookie, errno);
                    return Attempt.ANSWERED;
                }
                if (!responses.claimRead((int) result)) {
                    return Attempt.NO_ROOM;
                }
                copy(request.data, responses.readAddress(), (int) result);
                responses.commitRead(request.cookie, (int) result);
                return Attempt.ANSWERED;
            }
            case WRITE -> {
                responses.written(request.cookie, errno, Math.max(0, result));
                return Attempt.ANSWERED;
            }
            case EXAMINE -> {
                responses.examined(request.cookie, errno, Math.max(0, result));
                return Attempt.ANSWERED;
            }
            case TRUNCATE -> {
                responses.truncated(request.cookie, errno);
                return Attempt.ANSWERED;
            }
            default -> throw new IllegalStateException("operation " + request.operation);
        }
    }

    private static void copy(final Memory from, final long toAddress, final int length) {
        if (length > 0) {
            new UnsafeBuffer(toAddress, length).putBytes(0, from.buffer(), 0, length);
        }
    }
}
