/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.fuse;

import io.vsockproxy.posix.Memory;
import java.util.ArrayDeque;
import java.util.IdentityHashMap;

/**
 * Writes that their backends had no room for, each with its data. Loop's thread only.
 *
 * <p>The kernel's requests come one after the other, so one that is not taken stops those behind it, whosever they are.
 * That is why all are taken, and why memory is bounded by keeping less of them instead: a few whole ones, in the
 * buffers that they came in, and of the others the beginning. Whoever waits for one of those is told of a short write,
 * later, and goes on from there; it is neither refused nor in the way of others.
 */
final class ParkedWrites {
    /** Writes kept whole in a buffer of a mebibyte. Of one more, or of one of those who have most, a part is kept. */
    static final int MAX_WHOLE = 64;
    /** Writes that may wait for the same room; one more is not taken. */
    static final int MAX_OF_ONE_ROOM = 4096;
    /** What is kept of a write: what goes into a pipe in one piece (PIPE_BUF). */
    static final int PART_LENGTH = 4096;

    /** Has a backend take a write. */
    @FunctionalInterface
    interface Offer {
        /** False when there is still no room for what is in {@code data}. */
        boolean isTaken(FuseRequest request, Memory data);
    }

    /** Those that wait for the same. */
    private static final class Queue {
        private final Object room;
        private final ArrayDeque<FuseRequest> waiting = new ArrayDeque<>();
        /** Those of them of which less can be kept, in the same order. */
        private final ArrayDeque<FuseRequest> whole = new ArrayDeque<>();

        Queue(final Object room) {
            this.room = room;
        }
    }

    private final FuseChannel channel;
    private final Offer offer;
    private final IdentityHashMap<Object, Queue> queues = new IdentityHashMap<>();
    private int wholeCount;

    ParkedWrites(final FuseChannel channel, final Offer offer) {
        this.channel = channel;
        this.offer = offer;
    }

    /**
     * Keeps the write that the channel has read last.
     *
     * @return false when too many wait for the same room.
     */
    boolean park(final FuseRequest request) {
        final Queue queue = queues.computeIfAbsent(request.node().backend().room(), Queue::new);
        if (queue.waiting.size() >= MAX_OF_ONE_ROOM) {
            return false;
        }
        if (request.length() <= PART_LENGTH) {
            request.parkedData(part(channel.request(), request.length()));
        } else if (!request.isDivisible()) {
            // The kernel bounds what of mappings it has written back at once.
            request.parkedData(channel.detachRequest());
        } else if (mayKeepWhole(queue)) {
            request.parkedData(channel.detachRequest());
            queue.whole.addLast(request);
            wholeCount++;
        } else {
            request.parkedData(part(channel.request(), PART_LENGTH));
            request.cut(PART_LENGTH);
        }
        queue.waiting.addLast(request);
        return true;
    }

    /** Offers the writes again, those for each room in order until it is used up. */
    void offerAll() {
        // What is offered may bring the mount, and all that is kept here, to its end.
        for (final Queue queue : queues.values().toArray(new Queue[0])) {
            FuseRequest request = queue.waiting.peekFirst();
            while (request != null && offer(queue, request)) {
                request = queue.waiting.peekFirst();
            }
            removeIfEmpty(queue);
        }
    }

    /** Forgets a write whose answer is no longer waited for. */
    void remove(final FuseRequest request) {
        // Its backend, and with it the room, may be gone.
        for (final Queue queue : queues.values().toArray(new Queue[0])) {
            if (queue.waiting.remove(request)) {
                if (queue.whole.remove(request)) {
                    wholeCount--;
                }
                removeIfEmpty(queue);
            }
        }
        discardData(request);
    }

    /** The end of the mount. */
    void abandonAll(final int errno) {
        final Queue[] left = queues.values().toArray(new Queue[0]);
        queues.clear();
        wholeCount = 0;
        for (final Queue queue : left) {
            queue.whole.clear();
            FuseRequest request = queue.waiting.pollFirst();
            while (request != null) {
                // The backend has never taken it, and owes no answer.
                discardData(request);
                request.replyError(errno);
                request = queue.waiting.pollFirst();
            }
        }
    }

    private boolean offer(final Queue queue, final FuseRequest request) {
        final Memory data = request.parkedData();
        final boolean isWhole = queue.whole.peekFirst() == request;
        queue.waiting.removeFirst();
        if (isWhole) {
            queue.whole.removeFirst();
            wholeCount--;
        }
        request.parkedData(null);
        if (offer.isTaken(request, data)) {
            channel.recycle(data);
            return true;
        }
        request.parkedData(data);
        queue.waiting.addFirst(request);
        if (isWhole) {
            queue.whole.addFirst(request);
            wholeCount++;
        }
        return false;
    }

    /** Whether there is a buffer for one more of {@code queue}, for which another queue may have to give one. */
    private boolean mayKeepWhole(final Queue queue) {
        if (wholeCount < MAX_WHOLE) {
            return true;
        }
        Queue most = queue;
        for (final Queue other : queues.values()) {
            if (other.whole.size() > most.whole.size()) {
                most = other;
            }
        }
        if (most.whole.size() <= queue.whole.size() + 1) {
            return false;
        }
        final FuseRequest last = most.whole.removeLast();
        wholeCount--;
        final Memory data = last.parkedData();
        last.parkedData(part(data, PART_LENGTH));
        last.cut(PART_LENGTH);
        channel.recycle(data);
        return true;
    }

    private static Memory part(final Memory data, final int length) {
        final Memory part = Memory.allocate(FuseChannel.DATA_OFFSET + Math.max(0, length));
        part.buffer().putBytes(FuseChannel.DATA_OFFSET, data.buffer(), FuseChannel.DATA_OFFSET, length);
        return part;
    }

    private void discardData(final FuseRequest request) {
        channel.recycle(request.parkedData());
        request.parkedData(null);
    }

    private void removeIfEmpty(final Queue queue) {
        if (queue.waiting.isEmpty()) {
            queues.remove(queue.room, queue);
        }
    }
}
