/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.fuse;

import io.vsockproxy.posix.Memory;
import java.util.ArrayDeque;
import java.util.IdentityHashMap;

/**
 * Writes for which their backends had no room, each with its data. Confined to the loop's thread.
 *
 * <p>The kernel's requests come one after the other, so leaving one in the kernel would stop all those behind it,
 * whatever file they are for. Therefore every request is taken, and memory is bounded by keeping less of them: a few
 * are kept whole, in the buffers they came in, and of the others only the beginning. Whoever waits for one of these
 * later gets a short write, and goes on from there; it is not refused, and does not hold up others. Of pages that the
 * kernel writes back from mappings all is kept: the kernel itself limits how many requests of that kind it makes.
 */
final class ParkedWrites {
    /**
     * How many writes are kept whole, in buffers of 1 MiB each. Of a further one, or of one in the queue that has the
     * most, only a part is kept.
     */
    static final int MAX_WHOLE = 64;
    /** How many writes may wait for the same room; a further one is refused, unless it is a write-back. */
    static final int MAX_OF_ONE_ROOM = 4096;
    /** How many bytes are kept of a partial write: as many as a pipe writes atomically (PIPE_BUF). */
    static final int PART_LENGTH = 4096;

    /** Offers a parked write to its backend. */
    @FunctionalInterface
    interface Offer {
        /** Returns false when there is still no room for what is in {@code data}. */
        boolean isTaken(FuseRequest request, Memory data);
    }

    /** Writes that wait for the same room. */
    private static final class Queue {
        private final Object room;
        private final ArrayDeque<FuseRequest> waiting = new ArrayDeque<>();
        /** Those of them that are kept whole but could be reduced to a part, in the same order. */
        private final ArrayDeque<FuseRequest> whole = new ArrayDeque<>();

        Queue(final Object room) {
            this.room = room;
        }
    }

    private final FuseChannel channel;
    private final Offer offer;
    private final IdentityHashMap<Object, Queue> queues = new IdentityHashMap<>();
    private int wholeCount;
    private int turns;

    ParkedWrites(final FuseChannel channel, final Offer offer) {
        this.channel = channel;
        this.offer = offer;
    }

    /**
     * Keeps the write that the channel has just read, or a write-back, which has its data.
     *
     * @return false when too many are waiting for the same room.
     */
    boolean park(final FuseRequest request) {
        final Queue queue = queues.computeIfAbsent(request.node().backend().room(request), Queue::new);
        if (!request.isWriteBack()) {
            if (queue.waiting.size() >= MAX_OF_ONE_ROOM) {
                return false;
            }
            keep(queue, request);
        }
        request.parked(true);
        queue.waiting.addLast(request);
        return true;
    }

    /** Offers the writes again; those for each room in order, until that is used up. */
    void offerAll() {
        // On a copy: offering a write may end the mount, and with it everything kept here.
        final Queue[] all = queues.values().toArray(new Queue[0]);
        // Another one comes first each time, since what different queues wait for may be used up by the first.
        turns = all.length == 0 ? 0 : (turns + 1) % all.length;
        for (int i = 0; i < all.length; i++) {
            final Queue queue = all[(turns + i) % all.length];
            FuseRequest request = queue.waiting.peekFirst();
            while (request != null && offer(queue, request)) {
                request = queue.waiting.peekFirst();
            }
            removeIfEmpty(queue);
        }
    }

    /** Removes a write that nobody waits for any more. It must be answered. */
    void remove(final FuseRequest request) {
        // All queues are searched, because the backend, and with it the room, may be gone.
        for (final Queue queue : queues.values().toArray(new Queue[0])) {
            if (queue.waiting.remove(request)) {
                if (queue.whole.remove(request)) {
                    wholeCount--;
                }
                removeIfEmpty(queue);
            }
        }
        request.parked(false);
    }

    /** At the end of the mount: answers all of them with {@code errno}. */
    void abandonAll(final int errno) {
        final Queue[] left = queues.values().toArray(new Queue[0]);
        queues.clear();
        wholeCount = 0;
        for (final Queue queue : left) {
            queue.whole.clear();
            FuseRequest request = queue.waiting.pollFirst();
            while (request != null) {
                // The backend has not taken it, and so will not answer.
                request.parked(false);
                request.replyError(errno);
                request = queue.waiting.pollFirst();
            }
        }
    }

    private void keep(final Queue queue, final FuseRequest request) {
        if (request.length() <= PART_LENGTH) {
            request.data(part(channel.request(), request.length()));
        } else if (mayKeepWhole(queue)) {
            request.data(channel.detachRequest());
            queue.whole.addLast(request);
            wholeCount++;
        } else {
            request.data(part(channel.request(), PART_LENGTH));
            request.cut(PART_LENGTH);
        }
    }

    private boolean offer(final Queue queue, final FuseRequest request) {
        final Memory data = request.data();
        final boolean isWhole = queue.whole.peekFirst() == request;
        final boolean isWriteBack = request.isWriteBack();
        queue.waiting.removeFirst();
        if (isWhole) {
            queue.whole.removeFirst();
            wholeCount--;
        }
        request.parked(false);
        if (!isWriteBack) {
            // From now on the buffer is this method's: the request may be answered, and used again.
            request.data(null);
        }
        if (offer.isTaken(request, data)) {
            if (!isWriteBack) {
                channel.recycle(data);
            }
            return true;
        }
        request.data(data);
        request.parked(true);
        queue.waiting.addFirst(request);
        if (isWhole) {
            queue.whole.addFirst(request);
            wholeCount++;
        }
        return false;
    }

    /**
     * Whether one more write of {@code queue} may be kept whole. For that, a write of another queue may be reduced to a
     * part.
     */
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
        final Memory data = last.data();
        last.data(part(data, PART_LENGTH));
        last.cut(PART_LENGTH);
        channel.recycle(data);
        return true;
    }

    private static Memory part(final Memory data, final int length) {
        final Memory part = Memory.allocate(FuseChannel.DATA_OFFSET + Math.max(0, length));
        part.buffer().putBytes(FuseChannel.DATA_OFFSET, data.buffer(), FuseChannel.DATA_OFFSET, length);
        return part;
    }

    private void removeIfEmpty(final Queue queue) {
        if (queue.waiting.isEmpty()) {
            queues.remove(queue.room, queue);
        }
    }
}
