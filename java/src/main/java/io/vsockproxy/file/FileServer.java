/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.file;

import io.vsockproxy.file.FileRequest.Operation;
import io.vsockproxy.file.FileRequest.State;
import io.vsockproxy.loop.EndOfTurnTask;
import io.vsockproxy.posix.Constants;
import io.vsockproxy.posix.Errno;
import io.vsockproxy.posix.FileAttributes;
import io.vsockproxy.posix.IoVec;
import io.vsockproxy.posix.Memory;
import io.vsockproxy.posix.Syscalls;
import java.util.ArrayDeque;
import java.util.ArrayList;
import org.agrona.DirectBuffer;
import org.agrona.concurrent.UnsafeBuffer;

/**
 * Answers one session's file requests.
 *
 * <p>What is in memory is answered at once, by {@link FileReader}. What would wait for a disk goes to a worker, and
 * more than one request for a file can be with workers; those that overlap and change the file keep their order: see
 * {@link FileRequest#mustFollow}. An answer that lies in the mapped file is a read that is not over until the link has
 * taken it, so a write to that range, which would show in it, waits for that.
 *
 * <p>A file of this process's own mount needs no worker: see {@link FileRelay}.
 *
 * <p>Requests that wait for room take turns, one for each file. Confined to the loop's thread.
 */
public final class FileServer implements AutoCloseable {
    /** How far behind the first request of a file others are looked at, so that a long queue costs no more per turn. */
    private static final int LOOKAHEAD = 64;
    /** Writes up to this length are done on the loop where they only touch memory. */
    private static final int MAX_INLINE_WRITE_LENGTH = 1 << 20;
    /** What a worker has read goes into the ring up to this length, which frees its buffer at once. */
    private static final int MAX_COPIED_RESULT_LENGTH = 16 << 10;
    private static final long MAX_FREE_BUFFER_LENGTH = 4L << 20;

    /** What became of a request on the loop. */
    enum Attempt { ANSWERED, NO_ROOM, WOULD_BLOCK }

    private final FileWorkers workers;
    private final FileWindows windows;
    private final FileResponses responses;
    private final FileLimits limits;
    private final FileReader reader;
    private final FileRequestPool pool;
    private final BufferPool buffers = new BufferPool(MAX_FREE_BUFFER_LENGTH);
    private final Memory scratch = Memory.allocate(FileRequest.SCRATCH_LENGTH);
    private final FileAttributes attributes = new FileAttributes();
    private final UnsafeBuffer copy = new UnsafeBuffer(0, 0);
    private final int maxWithWorkers;
    private final ArrayDeque<LocalFile> waitingForRoom = new ArrayDeque<>();
    private final ArrayDeque<LocalFile> waitingForBuffer = new ArrayDeque<>();
    /** Those that the other side is done with, while something that it had asked for is not: no more than requests. */
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

    /**
     * @param workers shared by all sessions, as are {@code windows}.
     */
    public FileServer(
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

    /**
     * Reads.
     *
     * @param count  unsigned; more than the limit is served short.
     * @param offset from 2^63 on, which is negative here, EINVAL.
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
        // Nobody overtakes those who wait for room, or a large read would never find enough.
        if (!file.hasPendingChanges() && waitingForRoom.isEmpty()) {
            attempt = reader.read(file, cookie, length, offset, null);
        }
        if (attempt != Attempt.ANSWERED) {
            final FileRequest request = newRequest(file, Operation.READ, cookie, offset, length);
            if (request == null) {
                responses.readWithoutData(cookie, Errno.EAGAIN);
            } else {
                request.state = attempt == Attempt.WOULD_BLOCK ? State.COLD : State.WAITING;
                submit(request);
            }
        }
    }

    /** Writes to {@code offset} or {@link FileRelay#END_OF_FILE}; the bytes are read before this returns. */
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
            // Nothing, which takes no buffer, is nothing that could be passed on.
            responses.written(cookie, 0, 0);
            return;
        }
        long done = 0;
        final boolean memory = file.kind() == FileSystemKind.MEMORY && length <= MAX_INLINE_WRITE_LENGTH;
        learnSize(file);
        final boolean free = appending ? file.isIdle() : file.isFreeToWrite(offset, length);
        if (length > 0 && (memory || !file.refusesNowaitWrite()) && free) {
            IoVec.set(scratch.buffer(), 0, buffer.addressOffset() + index, length);
            final int flags = (memory ? 0 : Constants.RWF_NOWAIT) | (appending ? Constants.RWF_APPEND : 0);
            done = Syscalls.pwritev2(file.fd(), scratch.address(), 1, appending ? 0 : offset, flags);
            if (done == length || memory || isFinal(done)) {
                responses.written(cookie, done < 0 ? (int) -done : 0, Math.max(0, done));
                return;
            }
            if (done == -Errno.EOPNOTSUPP) {
                file.setRefusesNowaitWrite();
            }
        }
        final int written = (int) Math.max(0, done);
        submitWrite(file, cookie, buffer, index, length, offset, written);
    }

    /** Whether every request has been answered. */
    public boolean isIdle() {
        return pool.isIdle();
    }

    /** Tells size, mode, times and whatever else {@link FileAttributes} has. */
    public void examine(final LocalFile file, final long cookie) {
        if (!file.hasPendingChanges() && file.kind().hasLocalAttributes()) {
            final int error = Syscalls.statx(
                file.fd(), Constants.AT_STATX_DONT_SYNC, Constants.STATX_BASIC_STATS, scratch.address());
            responses.examined(cookie, Math.max(0, -error), attributes.readStatx(scratch.buffer()));
            return;
        }
        final FileRequest request = newRequest(file, Operation.EXAMINE, cookie, 0, 0);
        if (request == null) {
            responses.examined(cookie, Errno.EAGAIN, attributes);
        } else {
            submit(request);
        }
    }

    /**
     * Makes durable what was written before, as far as this kernel's answer can be trusted, then tells the attributes.
     *
     * @param dataOnly as by fdatasync(2).
     */
    public void sync(final LocalFile file, final long cookie, final boolean dataOnly) {
        final FileRequest request = newRequest(file, Operation.SYNC, cookie, 0, dataOnly ? 1 : 0);
        if (request == null) {
            responses.examined(cookie, Errno.EAGAIN, attributes);
        } else {
            submit(request);
        }
    }

    /** Cuts or extends. */
    public void truncate(final LocalFile file, final long cookie, final long length) {
        final boolean isRefused = length < 0 || (file.relay() != null && !file.isWritable());
        final FileRequest request = isRefused ? null : newRequest(file, Operation.TRUNCATE, cookie, 0, length);
        if (request == null) {
            responses.truncated(cookie, isRefused ? Errno.EINVAL : Errno.EAGAIN);
        } else {
            submit(request);
        }
    }

    /** There is room for answers again: files take turns, when this turn of the loop ends. */
    public void onRoom() {
        // Not now: the link may say so from inside an answer that is just being given.
        room = true;
        workers.loop().atEndOfTurn(resumption);
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

    /** The other side is done with the file; requests that it made before are still carried out. */
    public void close(final LocalFile file) {
        file.markClosed();
        if (!closeIfDone(file) && !closed) {
            unfinished.add(file);
        }
    }

    /** The session has ended and the link is closed: requests not begun are dropped, no more answers are given. */
    @Override
    public void close() {
        // Before all else: what the link has just discarded leads to no new answers.
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
    public void abandon(final LocalFile file) {
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

    /** Requests that have not been answered. */
    int requestCount() {
        return requestCount;
    }

    /** A worker is done with it. */
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
     * The link has taken the answer, or never will. This comes from inside the link's own work, where nothing can be
     * sent, so what follows from it waits for the end of the turn.
     */
    void onReleased(final FileRequest request) {
        released.add(request);
        if (closed) {
            finishReleased();
        } else {
            workers.loop().atEndOfTurn(resumption);
        }
    }

    /** Whether a result is an answer, rather than a reason to let a worker try. */
    static boolean isFinal(final long result) {
        return result < 0 && result != -Errno.EAGAIN && result != -Errno.EOPNOTSUPP;
    }

    // ---- Requests that are not answered at once

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

    private void submitWrite(
        final LocalFile file, final long cookie, final DirectBuffer buffer, final int index, final int length,
        final long offset, final int written) {
        final int left = length - written;
        final boolean hasRoom = pendingWriteLength == 0 || pendingWriteLength + left <= limits.maxPendingWriteLength();
        final Memory data = hasRoom && left > 0 && requestCount < limits.maxRequests() ? buffers.acquire(left) : null;
        final FileRequest request = data == null && left > 0
            ? null
            : newRequest(file, Operation.WRITE, cookie, Math.max(0, offset) + written, left);
        if (request == null) {
            // What has been written counts: a short write, after which the writer asks again.
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

    private void submit(final FileRequest request) {
        request.file.append(request);
        advance(request.file);
    }

    /** Answers those of the file's requests that can be answered, and hands to workers those that need one. */
    private void advance(final LocalFile file) {
        learnSize(file);
        FileRequest request = file.first();
        for (int i = 0; i < LOOKAHEAD && request != null; i++) {
            final FileRequest next = request.next;
            if (request.state == State.WAITING && request.operation != Operation.READ && !file.mustWait(request)) {
                request.state = State.COLD;
            }
            if (wantsRoom(request)) {
                // Others may be waiting for it, and it is not this file's turn then.
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

    /** Looks up what the order of the file's requests depends on, if there is more than one. */
    private void learnSize(final LocalFile file) {
        if (!file.isIdle()) {
            file.setKnownSize(
                file.kind().hasLocalAttributes() ? FileRequest.size(file.fd(), scratch.buffer()) : 0);
        }
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

    /** Answers a request that wants room: it is ANSWERED, has NO_ROOM, or has become COLD, which is WOULD_BLOCK. */
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
                // It goes on waiting.
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
            // The file is done with it; only its buffer is not.
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

    /** Answers a request that a worker is done with and that needs no more room than messages have. */
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
            // As if it had been asked: whoever is going through the file's requests now goes on undisturbed.
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

    // ---- What is over

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

    /** It has been answered, or never will be. */
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
