/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.file;

import io.vsockproxy.loop.EndOfTurnTask;
import io.vsockproxy.loop.EventLoop;
import io.vsockproxy.posix.Constants;
import io.vsockproxy.posix.DescriptorReserve;
import io.vsockproxy.posix.Errno;
import io.vsockproxy.posix.FileAttributes;
import io.vsockproxy.posix.Memory;
import io.vsockproxy.posix.OwnedFd;
import io.vsockproxy.posix.Paths;
import io.vsockproxy.posix.PollEvents;
import io.vsockproxy.posix.PosixException;
import io.vsockproxy.posix.Syscalls;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.function.BooleanSupplier;
import org.agrona.DirectBuffer;
import org.agrona.collections.Long2ObjectHashMap;

/**
 * Answers one session's requests about pipes and FIFOs that are open for reading and writing.
 *
 * <p>It reads only when the peer has asked for bytes, and sends what it has read at once. So a waiting request has
 * taken nothing from the FIFO, and can be cancelled. Requests wait here without blocking a thread. They have limits of
 * their own, as large as those of {@link FileServer}. Confined to the loop's thread.
 */
public final class FifoServer implements AutoCloseable {
    private static final long MAX_FREE_BUFFER_LENGTH = 1L << 20;
    private static final int POLLED = PollEvents.READABLE | PollEvents.WRITABLE;

    /** Is told whether a FIFO can be read or written. */
    @FunctionalInterface
    public interface Watcher {
        /**
         * The FIFO's state has been looked up.
         *
         * @param token  that of the {@link FifoServer#watch} which this answers; 0 when a watched event has happened
         *               since then.
         * @param events the present state: bits of {@link PollEvents}.
         */
        void onReady(long handle, long token, int events);
    }

    private final EventLoop loop;
    private final FileResponses responses;
    private final Watcher watcher;
    private final FileLimits limits;
    private final DescriptorReserve reserve;
    private final BooleanSupplier isOver;
    private final Memory scratch = Memory.allocate(Constants.SIZEOF_STATX);
    private final FileAttributes attributes = new FileAttributes();
    private final BufferPool buffers = new BufferPool(MAX_FREE_BUFFER_LENGTH);
    private final Long2ObjectHashMap<FifoRequest> waiting = new Long2ObjectHashMap<>();
    /** Unused requests; never more than have waited at the same time. */
    private final ArrayList<FifoRequest> free = new ArrayList<>();
    private final ArrayDeque<LocalFifo> waitingForRoom = new ArrayDeque<>();
    private final EndOfTurnTask resumption = new EndOfTurnTask() {
        @Override
        protected void run() {
            useRoom();
        }
    };
    private int requestCount;
    private long pendingWriteLength;
    private boolean closed;

    /**
     * @param reserve spare descriptors, which reopening a FIFO may not use up.
     * @param isOver  whether nothing can be sent any more, so that bytes read now would be lost.
     */
    public FifoServer(
        final EventLoop loop,
        final FileResponses responses,
        final Watcher watcher,
        final FileLimits limits,
        final DescriptorReserve reserve,
        final BooleanSupplier isOver) {
        this.loop = loop;
        this.responses = responses;
        this.watcher = watcher;
        this.limits = limits;
        this.reserve = reserve;
        this.isOver = isOver;
    }

    /** Returns 0 if {@link #open} would succeed with {@code fd}, which the caller keeps; otherwise an errno. */
    public int check(final int fd) {
        final int result = reopen(fd);
        if (result >= 0) {
            Syscalls.close(result);
        }
        return Math.max(0, -result);
    }

    /**
     * Begins to serve a pipe or FIFO.
     *
     * @param original the application's descriptor. Takes ownership.
     * @return null, with {@code original} closed, when the FIFO cannot be opened a second time or cannot be watched.
     */
    public LocalFifo open(final long handle, final OwnedFd original) {
        final int result = reopen(original.fd());
        if (result < 0) {
            original.close();
            return null;
        }
        final OwnedFd own = OwnedFd.of(result);
        final LocalFifo fifo = new LocalFifo(handle, original, own);
        try {
            fifo.registration = loop.register(own.fd(), 0, events -> onReady(fifo));
            return fifo;
        } catch (final PosixException e) {
            own.close();
            original.close();
            return null;
        }
    }

    /**
     * Answers with the bytes that are there, or waits until there are some.
     *
     * @param count       how many bytes at most, unsigned; the limit of a read applies as well.
     * @param nonBlocking whether to answer EAGAIN instead of waiting.
     */
    public void read(final LocalFifo fifo, final long cookie, final long count, final boolean nonBlocking) {
        if (count == 0) {
            responses.readWithoutData(cookie, 0);
        } else if (requestCount >= limits.maxRequests()) {
            responses.readWithoutData(cookie, Errno.EAGAIN);
        } else {
            final int length = count < 0 || count > limits.maxReadLength() ? limits.maxReadLength() : (int) count;
            fifo.reads.add(begin(unused().read(fifo, cookie, length, nonBlocking)));
            if (!fifo.waitsForRoom) {
                serveReads(fifo);
            }
            fifo.updateInterest();
        }
    }

    /**
     * Writes all bytes, waiting for room if need be.
     *
     * @param buffer      holds the bytes; not used after this returns.
     * @param nonBlocking whether to write only as much as there is room for, and to answer EAGAIN if there is none.
     */
    public void write(
        final LocalFifo fifo,
        final long cookie,
        final DirectBuffer buffer,
        final int index,
        final int length,
        final boolean nonBlocking) {
        int written = 0;
        if (nonBlocking || fifo.writes.isEmpty()) {
            final long result = length == 0 ? 0 : Syscalls.write(fifo.fd(), buffer.addressOffset() + index, length);
            if (nonBlocking || result == length || (result < 0 && result != -Errno.EAGAIN)) {
                responses.written(cookie, (int) Math.max(0, -result), Math.max(0, result));
                return;
            }
            written = (int) Math.max(0, result);
        }
        final int left = length - written;
        final boolean hasRoom = requestCount < limits.maxRequests()
            && (pendingWriteLength == 0 || pendingWriteLength + left <= limits.maxPendingWriteLength());
        final Memory data = hasRoom ? buffers.acquire(left) : null;
        if (data == null) {
            // Bytes already written make this a short write, and the writer will send the rest again.
            responses.written(cookie, written > 0 ? 0 : Errno.EAGAIN, written);
            return;
        }
        data.buffer().putBytes(0, buffer, index + written, left);
        pendingWriteLength += left;
        fifo.writes.add(begin(unused().write(fifo, cookie, length, written, data)));
        fifo.updateInterest();
    }

    /** Answers with the FIFO's attributes. */
    public void examine(final LocalFifo fifo, final long cookie) {
        final int error = Syscalls.statx(
            fifo.originalFd(), Constants.AT_STATX_DONT_SYNC, Constants.STATX_BASIC_STATS, scratch.address());
        responses.examined(cookie, Math.max(0, -error), attributes.readStatx(scratch.buffer()));
    }

    /**
     * Tells the watcher the FIFO's present state.
     *
     * @param token  is passed to the watcher with the answer.
     * @param events the events that somebody waits for: bits of {@link PollEvents}.
     * @param wakes  whether to tell the watcher once more when one of them happens.
     */
    public void watch(final LocalFifo fifo, final long token, final int events, final boolean wakes) {
        if (wakes) {
            fifo.arm(events);
            fifo.updateInterest();
        }
        watcher.onReady(fifo.handle(), token, poll(fifo));
    }

    /** Answers the waiting request with that cookie at once. Does nothing if it has been answered already. */
    public void cancel(final long cookie) {
        final FifoRequest request = waiting.get(cookie);
        if (request != null) {
            final LocalFifo fifo = request.fifo;
            (request.data == null ? fifo.reads : fifo.writes).remove(request);
            fifo.updateInterest();
            giveUp(request);
        }
    }

    /** The peer has closed its handle: answers the requests that still wait, and closes the FIFO. */
    public void close(final LocalFifo fifo) {
        while (!fifo.reads.isEmpty()) {
            giveUp(fifo.reads.remove());
        }
        while (!fifo.writes.isEmpty()) {
            giveUp(fifo.writes.remove());
        }
        abandon(fifo);
    }

    /** The session has ended: closes the FIFO and drops its requests without an answer. */
    public void abandon(final LocalFifo fifo) {
        while (!fifo.reads.isEmpty()) {
            end(fifo.reads.remove());
        }
        while (!fifo.writes.isEmpty()) {
            end(fifo.writes.remove());
        }
        waitingForRoom.remove(fifo);
        fifo.close();
    }

    /** The link has room for answers again. Reads that waited for it go on at the end of this turn of the loop. */
    public void onRoom() {
        if (!waitingForRoom.isEmpty()) {
            loop.atEndOfTurn(resumption);
        }
    }

    /** Frees the buffers. Called when the session has ended and its FIFOs have been {@linkplain #abandon abandoned}. */
    @Override
    public void close() {
        closed = true;
        scratch.close();
        buffers.close();
    }

    private void useRoom() {
        for (int left = waitingForRoom.size(); left > 0 && !closed; left--) {
            final LocalFifo fifo = waitingForRoom.poll();
            fifo.waitsForRoom = false;
            serveReads(fifo);
            fifo.updateInterest();
        }
    }

    private void onReady(final LocalFifo fifo) {
        if (!fifo.waitsForRoom) {
            serveReads(fifo);
        }
        serveWrites(fifo);
        fifo.updateInterest();
        if (fifo.armed != 0) {
            final int events = poll(fifo);
            if ((events & fifo.armed) != 0) {
                fifo.armed = 0;
                watcher.onReady(fifo.handle(), 0, events);
            }
        }
    }

    private void serveReads(final LocalFifo fifo) {
        if (isOver.getAsBoolean()) {
            return;
        }
        while (!fifo.reads.isEmpty()) {
            final FifoRequest request = fifo.reads.peek();
            // Claims no more room than needed, as other answers wait for it too.
            final int available = available(fifo);
            if (available > 0 && !responses.claimRead(Math.min(request.length, available))) {
                fifo.waitsForRoom = true;
                waitingForRoom.add(fifo);
                return;
            }
            final long result = available > 0 ? readClaimed(fifo, request, available) : available;
            if (result == 0 || result == -Errno.EAGAIN) {
                refuseNonBlocking(fifo);
                return;
            }
            fifo.reads.remove();
            if (result < 0) {
                responses.readWithoutData(request.cookie, (int) -result);
            }
            end(request);
        }
    }

    /** The FIFO is empty: answers the non-blocking reads with EAGAIN, and keeps the others in their order. */
    private void refuseNonBlocking(final LocalFifo fifo) {
        for (int left = fifo.reads.size(); left > 0; left--) {
            final FifoRequest request = fifo.reads.remove();
            if (request.nonBlocking) {
                responses.readWithoutData(request.cookie, Errno.EAGAIN);
                end(request);
            } else {
                fifo.reads.add(request);
            }
        }
    }

    private long readClaimed(final LocalFifo fifo, final FifoRequest request, final int available) {
        final long result =
            Syscalls.read(fifo.fd(), responses.readAddress(), Math.min(request.length, available));
        if (result > 0) {
            responses.commitRead(request.cookie, (int) result);
        } else {
            responses.abortRead();
        }
        return result;
    }

    private void serveWrites(final LocalFifo fifo) {
        FifoRequest request = fifo.writes.peek();
        while (request != null) {
            final long result = Syscalls.write(fifo.fd(), request.address(), request.left());
            if (result == -Errno.EAGAIN) {
                return;
            }
            request.written += (int) Math.max(0, result);
            if (result < 0 || request.left() == 0) {
                fifo.writes.remove();
                responses.written(
                    request.cookie, request.written > 0 ? 0 : (int) Math.max(0, -result), request.written);
                end(request);
                request = fifo.writes.peek();
            }
        }
    }

    private FifoRequest unused() {
        return free.isEmpty() ? new FifoRequest() : free.remove(free.size() - 1);
    }

    private FifoRequest begin(final FifoRequest request) {
        requestCount++;
        waiting.put(request.cookie, request);
        return request;
    }

    /** Answers a request that is to wait no longer: EINTR, or, of a write, how much of it has been written. */
    private void giveUp(final FifoRequest request) {
        if (request.data == null) {
            responses.readWithoutData(request.cookie, Errno.EINTR);
        } else {
            responses.written(request.cookie, request.written > 0 ? 0 : Errno.EINTR, request.written);
        }
        end(request);
    }

    /** Returns a finished request to the pool; the caller may not use it afterwards. */
    private void end(final FifoRequest request) {
        requestCount--;
        waiting.remove(request.cookie, request);
        if (request.data != null) {
            pendingWriteLength -= request.keptLength();
            buffers.release(request.data);
        }
        free.add(request.clear());
    }

    /** How many bytes can be read now (FIONREAD), or {@code -errno}. */
    private int available(final LocalFifo fifo) {
        final int result = Syscalls.ioctl(fifo.fd(), Constants.FIONREAD, scratch.address());
        return result < 0 ? result : scratch.buffer().getInt(0);
    }

    private static int poll(final LocalFifo fifo) {
        return Math.max(0, Syscalls.poll(fifo.fd(), POLLED));
    }

    private int reopen(final int fd) {
        return reserve.keep(Paths.open(
            "/proc/self/fd/" + fd, Constants.O_RDWR | Constants.O_NONBLOCK | Constants.O_CLOEXEC));
    }
}
