/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.model;

import io.vsockproxy.posix.Constants;
import io.vsockproxy.posix.Errno;
import io.vsockproxy.testing.Endpoint;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.function.Supplier;

/**
 * Does the same with an end in both worlds: first in the plain one, where the kernel shows what is right, then through
 * the proxies, which get some time to produce the same result.
 */
final class Lockstep {
    /** What a receiver saw. */
    enum Seen { SOMETHING, NOTHING, END }

    private static final int PIECE_LENGTH = 64 * 1024;
    private static final int POLL_MS = 20;
    /** Bytes that a proxy gives to a socket at once, even one that has refused some before. */
    private static final int SOCKET_LENGTH = 16 * 1024;
    private static final int COMPARED_FLAGS = Constants.O_ACCMODE | Constants.O_NONBLOCK | Constants.O_APPEND;

    private final long patienceNs;
    private final Consumer<Item> arrivals;
    private final Consumer<End> losses;

    /**
     * @param patienceMs how long the proxies may take for anything.
     * @param arrivals   is told of each descriptor that has been received.
     * @param losses     is told of each end that has lost what was on its way to it.
     */
    Lockstep(final long patienceMs, final Consumer<Item> arrivals, final Consumer<End> losses) {
        this.losses = losses;
        this.patienceNs = TimeUnit.MILLISECONDS.toNanos(patienceMs);
        this.arrivals = arrivals;
    }

    /**
     * Sends once.
     *
     * @return what the plain world said: how many bytes, or {@code -errno}.
     */
    int send(final End end, final int length, final List<Item> passed) {
        final Flow flow = end.outgoing();
        final byte[] bytes = flow.bytes(flow.offered(), length);
        final int plain = Calls.send(end, World.PLAIN, bytes, 0, length, descriptors(passed, World.PLAIN));
        if (plain == -Errno.EAGAIN) {
            return plain;
        }
        if (Calls.isGone(plain)) {
            awaitGone(end);
            return plain;
        }
        if (plain < 0) {
            final int proxied = Calls.send(end, World.PROXIED, bytes, 0, length, descriptors(passed, World.PROXIED));
            expect(proxied == plain, () -> "send of " + length + " bytes on " + end + ": "
                + Calls.describe(proxied) + " instead of " + Calls.describe(plain));
            return plain;
        }
        sendProxied(end, bytes, plain, passed);
        flow.offer(plain);
        for (final World world : World.BOTH) {
            flow.accept(world, plain);
        }
        for (final Item item : passed) {
            flow.passed().add(item);
            item.owner(null);
            item.closeDescriptors();
            if (item instanceof End passedEnd) {
                passedEnd.channel().passed();
            }
        }
        return plain;
    }

    /** Sends as much of what is still to be sent as is taken at once, in either world. */
    void pump(final End end) {
        if (end.isClosed() || !end.outgoing().hasBacklog()) {
            return;
        }
        final Flow flow = end.outgoing();
        for (final World world : World.BOTH) {
            int sent = 0;
            while (flow.backlog(world) > 0 && sent >= 0) {
                final int length = (int) Math.min(flow.backlog(world), PIECE_LENGTH);
                sent = Calls.send(end, world, flow.bytes(flow.accepted(world), length));
                if (sent > 0) {
                    flow.accept(world, sent);
                }
            }
            expect(sent >= 0 || sent == -Errno.EAGAIN,
                () -> "cannot send on " + end + " to a reader in the world that is " + world);
        }
    }

    /** Receives once, at most {@code maxLength} bytes. */
    Seen receive(final End end, final int maxLength) {
        final Flow flow = end.incoming();
        if (flow.isUneven()) {
            receiveUneven(end);
            return Seen.SOMETHING;
        }
        pump(end.other());
        final byte[] bytes = new byte[maxLength];
        final List<Endpoint> descriptors = new ArrayList<>();
        final int count = Calls.receive(end, World.PLAIN, bytes, descriptors);
        if (count == -Errno.EAGAIN) {
            expectNothing(end);
            return Seen.NOTHING;
        }
        expect(count >= 0, () -> "plain receive on " + end + ": " + Calls.describe(count));
        if (isEnd(end, count, descriptors) && !areHoldersDone(end)) {
            // The end comes later.
            return Seen.NOTHING;
        }
        if (end.kind().packets()) {
            awaitPacket(end, Arrays.copyOf(bytes, count), maxLength, descriptors.size());
        } else if (count == 0) {
            awaitEnd(end);
        } else {
            awaitBytes(end, bytes, count);
        }
        flow.receive(count);
        match(end, descriptors);
        // An empty seqpacket looks like the end of the stream; the rest is then read at another time.
        return count == 0 && descriptors.isEmpty() && end.kind() != Kind.DGRAM ? Seen.END : Seen.SOMETHING;
    }

    /**
     * Waits until {@code end} can see that its other end is closed. If one of the two ends has been passed on, an
     * application could have a copy of it, so {@code end} must first have received what was sent before. A datagram
     * socket that learns of this loses what it has not received, as the kernel does it (unix_dgram_disconnected).
     */
    void awaitGone(final End end) {
        end.gone();
        final boolean known = areHoldersDone(end);
        if (end.kind() == Kind.DGRAM) {
            awaitDisconnected(end);
            return;
        }
        if (!known) {
            return;
        }
        final boolean reading = end.canRead() && end.channel().hasBeenPassed();
        final long deadlineNs = System.nanoTime() + patienceNs;
        int sent = Calls.send(end, World.PROXIED, new byte[1]);
        while (!Calls.isGone(sent)) {
            expect(System.nanoTime() - deadlineNs < 0, () -> "nobody receives on the other end of " + end
                + ", and still it can be written");
            while (reading && receive(end, PIECE_LENGTH) == Seen.SOMETHING) {
                // Until there is no more.
            }
            pause();
            sent = Calls.send(end, World.PROXIED, new byte[1]);
        }
    }

    /**
     * Has those ends receive that must have received everything before the other end of {@code end}, which was lost on
     * its way, is closed.
     *
     * @return false when one of them is itself on its way, and so cannot receive.
     */
    private boolean areHoldersDone(final End end) {
        for (final End holder : end.other().holders()) {
            if (isBehind(holder)) {
                if (holder.owner() == null) {
                    return false;
                }
                while (!holder.isClosed() && receive(holder, PIECE_LENGTH) == Seen.SOMETHING) {
                    // Until there is no more.
                }
            }
        }
        return true;
    }

    /** Whether so much is under way to it that a proxy may have to keep some. */
    private static boolean isBehind(final End holder) {
        final long unreceived = holder.incoming().unreceived();
        return !holder.isClosed() && unreceived > (holder.kind() == Kind.DGRAM ? 0 : SOCKET_LENGTH);
    }

    private static boolean isEnd(final End end, final int count, final List<Endpoint> descriptors) {
        return count == 0 && descriptors.isEmpty() && end.kind().ends() && end.other().isClosed();
    }

    private void awaitDisconnected(final End end) {
        final long deadlineNs = System.nanoTime() + patienceNs;
        final byte[] bytes = new byte[PIECE_LENGTH];
        int sent = Calls.send(end, World.PROXIED, new byte[1]);
        while (sent != -Errno.ECONNREFUSED && sent != -Errno.ENOTCONN) {
            final int result = sent;
            expect(System.nanoTime() - deadlineNs < 0, () -> "the other end of " + end + " is closed, and send says "
                + Calls.describe(result));
            final List<Endpoint> dropped = new ArrayList<>();
            Calls.receive(end, World.PROXIED, bytes, dropped);
            dropped.forEach(Endpoint::close);
            pause();
            sent = Calls.send(end, World.PROXIED, new byte[1]);
        }
        losses.accept(end);
    }

    private void sendProxied(final End end, final byte[] bytes, final int length, final List<Item> passed) {
        final long deadlineNs = System.nanoTime() + patienceNs;
        final Endpoint[] descriptors = descriptors(passed, World.PROXIED);
        int done = 0;
        int sent;
        do {
            sent = done == 0
                ? Calls.send(end, World.PROXIED, bytes, 0, length, descriptors)
                : Calls.send(end, World.PROXIED, bytes, done, length - done);
            if (sent == -Errno.EAGAIN) {
                final int soFar = done;
                expect(System.nanoTime() - deadlineNs < 0, () -> "no room for " + (length - soFar) + " of " + length
                    + " bytes on " + end + ", where the plain socket had some");
                end.in(World.PROXIED).poll(Constants.EPOLLOUT, POLL_MS);
            } else {
                final int result = sent;
                expect(sent >= 0, () -> "send of " + length + " bytes on " + end + ": " + Calls.describe(result));
                done += sent;
            }
        } while (sent < 0 || done < length);
    }

    private void expectNothing(final End end) {
        final byte[] bytes = new byte[PIECE_LENGTH];
        final int count = Calls.receive(end, World.PROXIED, bytes, new ArrayList<>());
        expect(count == -Errno.EAGAIN, () -> "received on " + end + " where nothing was to come: "
            + (count == 0 ? "the end" : Calls.describe(count)));
    }

    private void awaitBytes(final End end, final byte[] expected, final int length) {
        final Flow flow = end.incoming();
        expect(Arrays.equals(expected, 0, length, flow.bytes(flow.received(), length), 0, length),
            () -> "the plain world's bytes on " + end);
        final long deadlineNs = System.nanoTime() + patienceNs;
        for (int done = 0; done < length;) {
            final byte[] bytes = new byte[length - done];
            final int count = Calls.receive(end, World.PROXIED, bytes, end.early());
            final int from = done;
            if (count == -Errno.EAGAIN) {
                expect(System.nanoTime() - deadlineNs < 0,
                    () -> from + " of " + length + " bytes came on " + end + ", at " + flow.received());
                pump(end.other());
                end.in(World.PROXIED).poll(Constants.EPOLLIN, POLL_MS);
            } else {
                expect(count > 0, () -> (count == 0 ? "the end" : Calls.describe(count)) + " on " + end + " after "
                    + from + " of " + length + " bytes, at " + flow.received());
                final int wrong = Arrays.mismatch(bytes, 0, count, expected, done, done + count);
                expect(wrong < 0, () -> "wrong byte on " + end + " at " + (flow.received() + from + wrong)
                    + ", of " + count + " received");
                done += count;
            }
        }
    }

    private void awaitEnd(final End end) {
        final int count = await(end, new byte[PIECE_LENGTH], end.early(), "the end");
        expect(count == 0, () -> Calls.describe(count) + " on " + end + " where the end was to come, at "
            + end.incoming().received());
    }

    private void awaitPacket(final End end, final byte[] expected, final int maxLength, final int descriptorCount) {
        final byte[] bytes = new byte[maxLength];
        final List<Endpoint> descriptors = new ArrayList<>();
        final int count = await(end, bytes, descriptors, "a packet of " + expected.length + " bytes");
        end.early().addAll(descriptors);
        expect(count == expected.length && Arrays.equals(expected, 0, count, bytes, 0, count)
                && descriptors.size() == descriptorCount,
            () -> "a packet of " + Calls.describe(count) + " bytes and " + descriptors.size() + " descriptors on " + end
                + ", other than one of " + expected.length + " bytes and " + descriptorCount);
    }

    /** The sender was closed while the worlds differed in what it had sent: each world's receiver gets that. */
    private void receiveUneven(final End end) {
        final Flow flow = end.incoming();
        final List<Endpoint> descriptors = new ArrayList<>();
        for (final World world : World.BOTH) {
            final List<Endpoint> came = world == World.PLAIN ? descriptors : end.early();
            final long deadlineNs = System.nanoTime() + patienceNs;
            long at = flow.received();
            while (at < flow.accepted(world)) {
                final byte[] bytes = new byte[(int) Math.min(PIECE_LENGTH, flow.accepted(world) - at)];
                final int count = Calls.receive(end, world, bytes, came);
                final long from = at;
                if (count == -Errno.EAGAIN) {
                    expect(System.nanoTime() - deadlineNs < 0, () -> "nothing more on " + end + " at " + from + " of "
                        + flow.accepted(world) + " in the world that is " + world);
                    end.in(world).poll(Constants.EPOLLIN, POLL_MS);
                } else {
                    expect(count > 0, () -> (count == 0 ? "the end" : Calls.describe(count)) + " on " + end + " at "
                        + from + " of " + flow.accepted(world) + " in the world that is " + world);
                    expect(Arrays.equals(bytes, 0, count, flow.bytes(at, count), 0, count),
                        () -> "wrong bytes on " + end + " after " + from + ", of " + count + " received");
                    at += count;
                }
            }
        }
        flow.evenOut();
        match(end, descriptors);
    }

    /** Gives the descriptors that have come in the plain world their counterparts, and to their receiver. */
    private void match(final End end, final List<Endpoint> plain) {
        for (int i = 0; i < plain.size(); i++) {
            final Item item = end.incoming().passed().remove();
            final Endpoint proxied = end.early().isEmpty() ? null : end.early().remove(0);
            if (proxied == null) {
                Endpoint.closeAll(plain.toArray(new Endpoint[0]));
                throw new AssertionError("no " + item + " came with the bytes on " + end);
            }
            item.put(World.PLAIN, plain.get(i));
            item.put(World.PROXIED, proxied);
            item.owner(end.owner());
            arrivals.accept(item);
            final int expected = plain.get(i).statusFlags() & COMPARED_FLAGS;
            final int actual = proxied.statusFlags() & COMPARED_FLAGS;
            expect(actual == expected, () -> "flags of " + item + " on " + end + ": 0" + Integer.toOctalString(actual)
                + " instead of 0" + Integer.toOctalString(expected));
        }
    }

    private int await(
        final End end, final byte[] bytes, final List<Endpoint> descriptors, final String what) {
        final long deadlineNs = System.nanoTime() + patienceNs;
        int count = Calls.receive(end, World.PROXIED, bytes, descriptors);
        while (count == -Errno.EAGAIN) {
            expect(System.nanoTime() - deadlineNs < 0, () -> "nothing on " + end + " where " + what
                + " was to come, at " + end.incoming().received());
            end.in(World.PROXIED).poll(Constants.EPOLLIN, POLL_MS);
            count = Calls.receive(end, World.PROXIED, bytes, descriptors);
        }
        return count;
    }

    private static Endpoint[] descriptors(final List<Item> items, final World world) {
        final Endpoint[] descriptors = new Endpoint[items.size()];
        for (int i = 0; i < descriptors.length; i++) {
            descriptors[i] = items.get(i).in(world);
        }
        return descriptors;
    }

    private static void pause() {
        try {
            Thread.sleep(1);
        } catch (final InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }

    private static void expect(final boolean condition, final Supplier<String> what) {
        if (!condition) {
            throw new AssertionError(what.get());
        }
    }
}
