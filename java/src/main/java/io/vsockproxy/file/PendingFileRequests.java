/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.file;

import io.vsockproxy.file.FileReader.Attempt;
import io.vsockproxy.file.FileRequest.Operation;
import io.vsockproxy.file.FileRequest.State;
import io.vsockproxy.loop.EndOfTurnTask;
import io.vsockproxy.posix.Errno;
import io.vsockproxy.posix.Memory;
import java.util.ArrayDeque;
import java.util.ArrayList;
import org.agrona.DirectBuffer;
import org.agrona.concurrent.UnsafeBuffer;

/**
 * One session's file requests that could not be answered at once: decides which of them goes to a worker, which waits
 * for an earlier one, for room on the link or for a buffer, and answers them as soon as possible.
 *
 * <p>More than one request for a file can be with workers; those that overlap and change the file keep their order, see
 * {@link FileRequest#mustFollow}. An answer that lies in the mapped file is a read that is not finished until the link
 * has sent it, so a write to that range, which would change the answer, waits for that.
 *
 * <p>A file of this process's own mount needs no worker: see {@link FileRelay}.
 *
 * <p>Files with requests that wait for room take turns, with one request each. Confined to the loop's thread.
 */
final class PendingFileRequests implements AutoCloseable {
    /** How many of a file's requests to look at from the first on, so that a long queue costs no more per turn. */
    private static final int LOOKAHEAD = 64;
    /** Up to this length, in bytes, what a worker has read is copied into the ring, which frees its buffer at once. */
    private static final int MAX_COPIED_RESULT_LENGTH = 16 << 10;
    private static final long MAX_FREE_BUFFER_LENGTH = 4L << 20;

    private final FileWorkers workers;
    private final FileWindows windows;
    private final FileResponses responses;
    private final FileLimits limits;
    private final FileReader reader;
    private final FileRequestPool pool;
    private final BufferPool buffers = new BufferPool(MAX_FREE_BUFFER_LENGTH);
    private final Memory scratch = Memory.allocate(FileRequest.SCRATCH_LENGTH);
    private final UnsafeBuffer copy = new UnsafeBuffer(0, 0);
    private final int maxWithWorkers;
    private final ArrayDeque<LocalFile> waitingForRoom = new ArrayDeque<>();
    private final ArrayDeque<LocalFile> waitingForBuffer = new ArrayDeque<>();
    /** Files that the other side has closed while requests it had made before are not finished. */
    private final ArrayList<LocalFile> unfinished = new ArrayList<>();
    private final ArrayDeque<FileRequest> released = new ArrayDeque<>();
    private final ArrayDeque<FileRequest> notRelayed = new ArrayDeque<>();
    private final EndOfTurnTask resumption = new EndOfTurnTask() {
        @Override
        protected void run() {
            resume();
        }
    };
    private int requestCount;
    private long pendingWriteLength;
    private long readBufferLength;
    private boolean room;
    private boolean closed;

    PendingFileRequests(
        final FileWorkers workers, final FileWindows windows, final FileResponses responses, final FileLimits limits) {
        this.workers = workers;
        this.windows = windows;
        this.responses = responses;
        this.limits = limits;
        pool = new FileRequestPool(this);
        reader = new FileReader(windows, responses, limits, pool);
        // One file on a disk that hangs must leave a worker for the others.
        maxWithWorkers = Math.max(1, workers.threadCount() - 1);
    }

    /** Answers reads that need not wait. */
    FileReader reader() {
        return reader;
    }

    /** How many requests have not been answered. */
    int count() {
        return requestCount;
    }

    /** Whether every request is finished: its answer, if that lay outside the ring, has been sent too. */
    boolean isIdle() {
        return pool.isIdle();
    }

    /** Whether a request waits for room. It must not be overtaken, or a large read would never find enough. */
    boolean isRoomAwaited() {
        return !waitingForRoom.isEmpty();
    }

    /**
     * Adds a request.
     *
     * @return false when there are too many: it must be answered EAGAIN.
     */
    boolean add(
        final LocalFile file, final Operation operation, final long cookie, final long offset, final long length) {
        final FileRequest request = newRequest(file, operation, cookie, offset, length);
        if (request == null) {
            return false;
        }
        submit(request);
        return true;
    }

    /**
     * Adds a read.
     *
     * @param needsWorker whether an attempt to answer it has shown that it would wait for a disk.
     * @return as {@link #add}.
     */
    boolean addRead(
        final LocalFile file, final long cookie, final long offset, final int length, final boolean needsWorker) {
        final FileRequest request = newRequest(file, Operation.READ, cookie, offset, length);
        if (request == null) {
            return false;
        }
        request.state = needsWorker ? State.COLD : State.WAITING;
        submit(request);
        return true;
    }

    /**
     * Adds a write of which {@code written} bytes have been written already, or answers it if there is no room for it.
     *
     * @param buffer contains the bytes, borrowed for this call only.
     * @param offset of the first byte of the whole write, or {@link FileRelay#END_OF_FILE}.
     */
    void addWrite(
        final LocalFile file, final long cookie, final DirectBuffer buffer, final int index, final int length,
        final long offset, final int written) {
        final int left = length - written;
        final boolean hasRoom = pendingWriteLength == 0 || pendingWriteLength + left <= limits.maxPendingWriteLength();
        final Memory data = hasRoom && left > 0 && requestCount < limits.maxRequests() ? buffers.acquire(left) : null;
        final FileRequest request = data == null && left > 0
            ? null
            : newRequest(file, Operation.WRITE, cookie, Math.max(0, offset) + written, left);
        if (request == null) {
            // A short write if something has been written: the writer asks again for the rest.
            responses.written(cookie, written > 0 ? 0 : Errno.EAGAIN, written);
            return;
        }
        if (data != null) {
            data.buffer().putBytes(0, buffer, index + written, left);
        }
        pendingWriteLength += left;
        request.data = data;
        request.alreadyWritten = written;
        request.appending = offset == FileRelay.END_OF_FILE;
        submit(request);
    }

    /** Looks up the file's size if it has requests, whose order depends on it. */
    void learnSize(final LocalFile file) {
        if (!file.isIdle()) {
            file.setKnownSize(
                file.kind().hasLocalAttributes() ? FileRequest.size(file.fd(), scratch.buffer()) : 0);
        }
    }

    /** There is room for answers again: files take turns, at the end of this turn of the loop. */
    void onRoom() {
        // Not now: the link may report it from inside an answer that is just being sent.
        room = true;
        workers.loop().atEndOfTurn(resumption);
    }

    /** The other side has closed the file. Requests that it made before are still carried out. */
    void close(final LocalFile file) {
        file.markClosed();
        if (!closeIfDone(file) && !closed) {
            unfinished.add(file);
        }
    }

    /** The session has ended and the link is closed: requests not begun are dropped, no more answers are given. */
    @Override
    public void close() {
        // First, so that releasing what the link has just discarded leads to no new answers.
        closed = true;
        waitingForRoom.clear();
        waitingForBuffer.clear();
        finishReleased();
        finishNotRelayed();
        scratch.close();
        reader.close();
        buffers.close();
        pool.close();
        unfinished.forEach(this::abandon);
        unfinished.clear();
    }

    /** Closes a file of a session that has ended. */
    void abandon(final LocalFile file) {
        FileRequest request = file.first();
        while (request != null) {
            final FileRequest next = request.next;
            if (request.state != State.WITH_WORKER && request.state != State.RIDING) {
                finish(request);
            }
            request = next;
        }
        close(file);
    }

    /** A worker, or the owner of a relayed file, has carried the request out. */
    void onPerformed(final FileRequest request) {
        final LocalFile file = request.file;
        request.state = State.DONE;
        file.addWithWorkers(-1);
        if (closed) {
            finish(request);
            closeIfDone(file);
        } else {
            advance(file);
        }
    }

    /**
     * The link has sent the answer, or never will. Called from inside the link's own work, where nothing can be sent,
     * so what follows from it waits for the end of the turn.
     */
    void onReleased(final FileRequest request) {
        released.add(request);
        if (closed) {
            finishReleased();
        } else {
            workers.loop().atEndOfTurn(resumption);
        }
    }

    /** Null when there are too many requests. */
    private FileRequest newRequest(
        final LocalFile file, final Operation operation, final long cookie, final long offset, final long length) {
        if (requestCount >= limits.maxRequests()) {
            return null;
        }
        requestCount++;
        final FileRequest request = pool.acquire();
        request.begin(file, operation, cookie, offset, length);
        return request;
    }

    private void submit(final FileRequest request) {
        request.file.append(request);
        advance(request.file);
    }

    /** Answers the file's requests that can be answered, and passes those that need it to workers. */
    private void advance(final LocalFile file) {
        learnSize(file);
        FileRequest request = file.first();
        for (int i = 0; i < LOOKAHEAD && request != null; i++) {
            final FileRequest next = request.next;
            if (request.state == State.WAITING && request.operation != Operation.READ && !file.mustWait(request)) {
                request.state = State.COLD;
            }
            if (wantsRoom(request)) {
                // If others wait for room already, it is not this file's turn.
                if (!waitingForRoom.isEmpty() || answer(request) == Attempt.NO_ROOM) {
                    waitForRoom(file);
                }
            } else if (request.state == State.DONE) {
                respond(request);
            }
            if (request.state == State.COLD) {
                handToWorker(request);
            }
            request = next;
        }
        closeIfDone(file);
    }

    private static boolean wantsRoom(final FileRequest request) {
        return request.operation == Operation.READ
            && ((request.state == State.DONE && request.result >= 0)
                || (request.state == State.WAITING && !request.file.mustWait(request)));
    }

    private FileRequest firstWithoutRoom(final LocalFile file) {
        FileRequest request = file.first();
        for (int i = 0; i < LOOKAHEAD && request != null; i++) {
            if (wantsRoom(request)) {
                return request;
            }
            request = request.next;
        }
        return null;
    }

    private void waitForRoom(final LocalFile file) {
        if (!file.isWaitingForRoom()) {
            file.setWaitingForRoom(true);
            waitingForRoom.add(file);
        }
    }

    private void useRoom() {
        LocalFile file = waitingForRoom.peek();
        while (file != null) {
            learnSize(file);
            final FileRequest request = firstWithoutRoom(file);
            if (request != null && answer(request) == Attempt.NO_ROOM) {
                return;
            }
            waitingForRoom.poll();
            file.setWaitingForRoom(false);
            advance(file);
            file = waitingForRoom.peek();
        }
    }

    /** Tries to answer a read that wants room. Afterwards it is answered, still without room, or COLD (WOULD_BLOCK). */
    private Attempt answer(final FileRequest request) {
        if (request.state == State.DONE) {
            return answerRead(request);
        }
        final Attempt attempt =
            reader.read(request.file, request.cookie, (int) request.length, request.offset, request);
        switch (attempt) {
            case ANSWERED -> {
                if (request.state == State.RIDING) {
                    requestCount--;
                } else {
                    finish(request);
                }
            }
            case WOULD_BLOCK -> request.state = State.COLD;
            default -> {
                // It still waits.
            }
        }
        return attempt;
    }

    /** Answers with what a worker has read. */
    private Attempt answerRead(final FileRequest request) {
        final int length = (int) request.result;
        if (length > MAX_COPIED_RESULT_LENGTH) {
            request.state = State.RIDING;
            if (!responses.sendRead(request.cookie, request)) {
                request.state = State.DONE;
                return Attempt.NO_ROOM;
            }
            // The file need not list it any more; only its buffer is still in use.
            request.file.remove(request);
            requestCount--;
            return Attempt.ANSWERED;
        }
        if (!responses.claimRead(length)) {
            return Attempt.NO_ROOM;
        }
        if (length > 0) {
            copy.wrap(responses.readAddress(), length);
            copy.putBytes(0, request.data.buffer(), 0, length);
        }
        responses.commitRead(request.cookie, length);
        finish(request);
        return Attempt.ANSWERED;
    }

    /** Answers a request that has been carried out, and whose answer needs no more room than any message. */
    private void respond(final FileRequest request) {
        final long result = request.result;
        final int errno = Errno.isError(result) ? (int) -result : 0;
        switch (request.operation) {
            case READ -> responses.readWithoutData(request.cookie, errno);
            case WRITE -> responses.written(request.cookie, errno, Math.max(0, result));
            case EXAMINE, SYNC -> responses.examined(request.cookie, errno, request.attributes);
            case TRUNCATE -> responses.truncated(request.cookie, errno);
            default -> throw new IllegalStateException("operation " + request.operation);
        }
        finish(request);
    }

    private void handToWorker(final FileRequest request) {
        final LocalFile file = request.file;
        final FileRelay relay = file.relay();
        if (relay == null && file.withWorkers() >= maxWithWorkers) {
            return;
        }
        if (request.operation == Operation.READ) {
            final int length = (int) request.length;
            final boolean hasRoom =
                readBufferLength == 0 || readBufferLength + length <= limits.maxReadBufferLength();
            request.data = hasRoom ? buffers.acquire(length) : null;
            if (request.data == null) {
                if (readBufferLength > 0) {
                    waitForBuffer(file);
                } else {
                    responses.readWithoutData(request.cookie, Errno.ENOMEM);
                    finish(request);
                }
                return;
            }
            readBufferLength += length;
        }
        request.learns = file.kind() == FileSystemKind.UNKNOWN;
        request.reopens = request.learns && file.isDirect();
        request.state = State.WITH_WORKER;
        file.addWithWorkers(1);
        if (relay == null) {
            workers.submit(request);
        } else {
            relay(relay, request);
        }
    }

    private void relay(final FileRelay relay, final FileRequest request) {
        final int error = request.askOf(relay);
        if (error < 0) {
            // Handled later, as an answer would be: the caller is walking the file's requests.
            request.result = error;
            notRelayed.add(request);
            workers.loop().atEndOfTurn(resumption);
        }
    }

    private void finishNotRelayed() {
        FileRequest request = notRelayed.poll();
        while (request != null) {
            onPerformed(request);
            request = notRelayed.poll();
        }
    }

    private void waitForBuffer(final LocalFile file) {
        if (!file.isWaitingForBuffer()) {
            file.setWaitingForBuffer(true);
            waitingForBuffer.add(file);
        }
    }

    private void finishReleased() {
        FileRequest request = released.poll();
        while (request != null) {
            final LocalFile file = request.file;
            final boolean mapped = request.window != null;
            if (mapped) {
                windows.unpin(request.window);
                file.remove(request);
            }
            recycle(request);
            if (mapped && closed) {
                closeIfDone(file);
            } else if (mapped) {
                advance(file);
            }
            request = released.poll();
        }
    }

    /** The request has been answered, or never will be. */
    private void finish(final FileRequest request) {
        request.file.remove(request);
        requestCount--;
        recycle(request);
    }

    private void recycle(final FileRequest request) {
        if (request.data != null) {
            buffers.release(request.data);
            request.data = null;
            if (request.operation == Operation.WRITE) {
                pendingWriteLength -= request.length;
            } else {
                readBufferLength -= request.length;
            }
        }
        final boolean wasRead = request.operation == Operation.READ;
        request.window = null;
        request.state = State.FREE;
        pool.release(request);
        if (wasRead && !waitingForBuffer.isEmpty()) {
            workers.loop().atEndOfTurn(resumption);
        }
    }

    private void resume() {
        finishReleased();
        finishNotRelayed();
        resumeWaitingForBuffer();
        if (room && !closed) {
            room = false;
            useRoom();
        }
    }

    private void resumeWaitingForBuffer() {
        for (int left = waitingForBuffer.size(); left > 0; left--) {
            final LocalFile file = waitingForBuffer.poll();
            file.setWaitingForBuffer(false);
            advance(file);
        }
    }

    /** Closes the file's descriptor if the file is closed and has no requests any more. */
    private boolean closeIfDone(final LocalFile file) {
        final boolean done = file.beginClosing();
        if (done) {
            if (!closed) {
                unfinished.remove(file);
            }
            windows.forget(file);
            workers.submit(file.closing());
        }
        return done;
    }
}
