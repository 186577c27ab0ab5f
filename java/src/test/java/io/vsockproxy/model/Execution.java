/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.model;

import io.vsockproxy.Role;
import io.vsockproxy.model.Lockstep.Seen;
import io.vsockproxy.testing.Endpoint;
import io.vsockproxy.testing.FileCalls;
import java.util.ArrayList;
import java.util.List;
import java.util.function.BooleanSupplier;
import java.util.function.Predicate;

/**
 * Runs a program. It leaves out operations that have nothing to act on, or that the proxies do not promise to support.
 * It sends nothing on an end until everything that the end should have sent earlier has been sent.
 *
 * <p>Not here: shutdown(SHUT_RD), passing an end over a newer channel (two could be on their way in each other
 * forever), two applications that read one descriptor at the same time.
 */
final class Execution implements AutoCloseable {
    private static final int MAX_ITEMS = 64;
    private static final int MAX_CHANNELS_AT_ONCE = 3;
    private static final int[] SEND_LENGTHS = {0, 1, 7, 100, 4096, 4097, 20_000, 65_536, 150_000};
    private static final int[] RECEIVE_LENGTHS = {1, 10, 1000, 8192, 65_536, 262_144};
    private static final int WHOLE = 262_144;
    private static final int DRAIN_ROUNDS = 64;

    private final Site site;
    private final boolean halfCloses;
    private final Acceptor acceptor;
    private final Lockstep lockstep;
    private final FileOperations files;
    private final Trace trace;
    private final Application[] applications = {
        new Application(Role.HOST, 0), new Application(Role.HOST, 1),
        new Application(Role.GUEST, 0), new Application(Role.GUEST, 1),
    };
    private final List<Item> items = new ArrayList<>();
    private int lastChannel;
    private int lastItem;

    /**
     * @param halfCloses whether the proxies have agreed on the extension.
     * @param patienceMs how long the proxies may take for anything.
     */
    Execution(final Site site, final boolean halfCloses, final long patienceMs, final Trace trace) {
        this.site = site;
        this.halfCloses = halfCloses;
        this.trace = trace;
        acceptor = new Acceptor(site, patienceMs);
        lockstep = new Lockstep(patienceMs, items::add, this::loseIncoming);
        files = new FileOperations(site.directory());
    }

    /**
     * Runs {@code program}, or as much of it as there is time for; then has all applications receive everything that is
     * still on its way, and closes everything, one after the other.
     */
    void run(final List<Operation> program, final BooleanSupplier timeIsUp) {
        for (int i = 0; i < program.size() && !timeIsUp.getAsBoolean(); i++) {
            trace.next(i);
            carryOut(program.get(i));
        }
        trace.next(program.size());
        receiveEverything();
        while (!items.isEmpty()) {
            closeAndLook(items.get(0));
        }
    }

    @Override
    public void close() {
        items.forEach(Item::closeDescriptors);
        for (final Item item : items) {
            if (item instanceof End end) {
                end.early().forEach(Endpoint::close);
            }
        }
        items.clear();
        acceptor.close();
    }

    private void carryOut(final Operation operation) {
        switch (operation.code()) {
            case CONNECT -> connect(operation);
            case PASS_NEW -> passNew(operation);
            case PASS -> pass(operation);
            case SEND -> send(operation);
            case FLOOD -> flood(operation);
            case RECEIVE -> {
                final End end = end(operation.first(), End::canRead);
                if (end != null) {
                    receive(end, choose(RECEIVE_LENGTHS, operation.second()));
                }
            }
            case DRAIN -> {
                final End end = end(operation.first(), End::canRead);
                for (int i = 0; end != null && i < DRAIN_ROUNDS && receive(end, WHOLE) == Seen.SOMETHING; i++) {
                    // Until there is no more.
                }
            }
            case SHUT_DOWN -> shutDown(operation);
            case CLOSE -> {
                final Item item = item(operation.first(), Item.class, any -> true);
                if (item != null) {
                    close(item);
                }
            }
            case KILL -> kill(applications[operation.first() % applications.length]);
            case FILE -> {
                final RegularFile file = item(operation.first(), RegularFile.class, any -> true);
                if (file != null) {
                    trace.add(file, files.carryOut(file, operation.second(), operation.third()));
                }
            }
            case EVENT -> {
                final EventCounter counter = item(operation.first(), EventCounter.class, any -> true);
                if (counter != null) {
                    trace.add(counter, event(counter, operation.second()));
                }
            }
            default -> throw new IllegalArgumentException("not an operation: " + operation);
        }
    }

    private void connect(final Operation operation) {
        if (items.size() >= MAX_ITEMS) {
            return;
        }
        final Application client = applications[operation.first() % applications.length];
        final Role serverSide = Site.other(client.side());
        final Application server = new Application(serverSide, operation.second() % 2);
        final Channel channel = new Channel(++lastChannel, Kind.CONNECTION, client, server);
        trace.add(channel.end(0), "connect from " + client + " to " + server);
        acceptor.connect(channel.end(0));
        items.add(channel.end(0));
        items.add(channel.end(1));
    }

    private void passNew(final Operation operation) {
        final End carrier = end(operation.first(), Execution::carries);
        if (carrier == null || items.size() >= MAX_ITEMS) {
            return;
        }
        final List<Item> passed = new ArrayList<>();
        int choice = operation.second();
        for (int i = 0; i <= operation.third() % MAX_CHANNELS_AT_ONCE; i++) {
            final Item item = create(choice % 7, carrier.owner());
            choice /= 7;
            if (item != null) {
                passed.add(item);
            }
        }
        pass(carrier, passed, operation.third());
    }

    /** Something new of an application; null where it cannot be passed here. */
    private Item create(final int choice, final Application owner) {
        if (choice == 5) {
            return site.hasFiles() ? created(files.create(++lastItem, owner)) : null;
        }
        if (choice == 6) {
            final EventCounter counter = new EventCounter(++lastItem, owner);
            for (final World world : World.BOTH) {
                counter.put(world, Endpoint.eventfd(lastItem));
            }
            return created(counter);
        }
        final Kind kind = switch (choice) {
            case 0 -> Kind.STREAM;
            case 1 -> Kind.SEQPACKET;
            case 2 -> Kind.DGRAM;
            default -> Kind.PIPE;
        };
        final Channel channel = new Channel(++lastChannel, kind, owner, owner);
        for (final World world : World.BOTH) {
            final Endpoint[] ends = kind.socket() ? Endpoint.socketPair(kind.socketType()) : Endpoint.pipe();
            channel.end(0).put(world, ends[0]);
            channel.end(1).put(world, ends[1]);
        }
        created(channel.end(0));
        created(channel.end(1));
        return channel.end(choice == 3 ? 0 : 1);
    }

    private Item created(final Item item) {
        items.add(item);
        return item;
    }

    private void pass(final Operation operation) {
        final End carrier = end(operation.first(), Execution::carries);
        if (carrier == null) {
            return;
        }
        final Item item = item(operation.second(), Item.class, any -> any.owner().equals(carrier.owner())
            && !(any instanceof KeptCopy)
            && !(any instanceof End end
                && (end.channel().id() <= carrier.channel().id() || end.outgoing().hasBacklog())));
        if (item != null) {
            if (item instanceof End end) {
                acceptor.accept(end);
            }
            pass(carrier, List.of(item), operation.third());
        }
    }

    private void pass(final End carrier, final List<Item> passed, final int choice) {
        final List<Item> copies = new ArrayList<>();
        if (halfCloses && (choice & 3) == 0) {
            // Without half-close, a shutdown on the other side would be a close here, which a copy hides.
            for (final Item item : passed) {
                final KeptCopy copy = new KeptCopy(++lastItem, item.owner(), item);
                for (final World world : World.BOTH) {
                    copy.put(world, FileCalls.duplicate(item.in(world)));
                }
                copies.add(copy);
            }
        }
        final int length = 1 + (choice >>> 8) % 16;
        final int result = lockstep.send(carrier, length, passed);
        trace.add(carrier, "pass " + passed + copies + " with " + length + " bytes: " + Calls.describe(result));
        if (result >= 0) {
            items.removeAll(passed);
            items.addAll(copies);
        } else {
            copies.forEach(Item::closeDescriptors);
        }
    }

    private void send(final Operation operation) {
        final End end = end(operation.first(), sender -> sender.canWrite() && !sender.outgoing().hasBacklog());
        if (end != null) {
            final int length = choose(SEND_LENGTHS, operation.second());
            final int atLeast = end.kind().packets() ? length : Math.max(1, length);
            trace.add(end, "send " + atLeast);
            trace.result(Calls.describe(lockstep.send(end, atLeast, List.of())));
        }
    }

    private void flood(final Operation operation) {
        final End end = end(operation.first(), sender -> sender.canWrite() && !sender.kind().packets()
            && !sender.outgoing().hasBacklog() && !sender.other().isClosed());
        if (end != null) {
            // Without flow control all of it waits in the proxy, where there is room for 4 MiB.
            final int length = operation.second() % (halfCloses ? 3 << 20 : 1 << 20);
            trace.add(end, "offer " + length);
            end.outgoing().offer(length);
            lockstep.pump(end);
        }
    }

    private Seen receive(final End end, final int maxLength) {
        final long before = end.incoming().received();
        final int carried = end.incoming().passed().size();
        trace.add(end, "receive " + maxLength);
        final Seen seen = lockstep.receive(end, maxLength);
        trace.result(seen + " " + (end.incoming().received() - before)
            + (end.incoming().passed().size() == carried
                ? "" : " and " + items.subList(items.size() - carried + end.incoming().passed().size(), items.size())));
        return seen;
    }

    private void shutDown(final Operation operation) {
        final End end = end(operation.first(), sender -> sender.canWrite() && sender.kind().halfCloses()
            && !sender.outgoing().hasBacklog());
        if (end != null) {
            trace.add(end, "shut down");
            end.shut();
            for (final World world : World.BOTH) {
                end.in(world).shutdownWrite();
            }
            if (!halfCloses) {
                close(end);
            }
        }
    }

    private void kill(final Application application) {
        trace.add(application, "killed");
        for (final Item item : new ArrayList<>(items)) {
            if (application.equals(item.owner())) {
                close(item);
            }
        }
    }

    private void close(final Item item) {
        if (item instanceof End end) {
            acceptor.accept(end);
        }
        trace.add(item, "close");
        items.remove(item);
        lose(item);
    }

    /** Closes it, and with it what is under way to it. */
    private void lose(final Item item) {
        closeCopies(item);
        item.owner(null);
        if (item instanceof End end) {
            end.close();
            loseIncoming(end);
        } else {
            item.closeDescriptors();
        }
    }

    /**
     * No application keeps a copy for longer than the receiver keeps what was passed: bytes sent before would still be
     * there in the plain world, but in the other a proxy would have received and dropped them.
     */
    private void closeCopies(final Item item) {
        items.removeIf(other -> {
            final boolean found = other instanceof KeptCopy copy && copy.isOf(item);
            if (found) {
                other.owner(null);
                other.closeDescriptors();
            }
            return found;
        });
    }

    private void loseIncoming(final End end) {
        while (!end.incoming().passed().isEmpty()) {
            final Item item = end.incoming().passed().remove();
            if (item instanceof End lost) {
                lost.lostOnTheWayTo(end);
            }
            lose(item);
        }
    }

    private void receiveEverything() {
        boolean progress = true;
        while (progress) {
            progress = false;
            for (final Item item : new ArrayList<>(items)) {
                if (item instanceof End end && end.canRead()) {
                    acceptor.accept(end);
                    while (receive(end, WHOLE) == Seen.SOMETHING) {
                        progress = true;
                    }
                }
            }
        }
    }

    /** Closes it, and has whoever is left at its other end see that. */
    private void closeAndLook(final Item item) {
        close(item);
        if (item instanceof End end && !end.other().isClosed() && end.other().owner() != null
            && end.other().canRead() && end.kind().ends()) {
            acceptor.accept(end.other());
            receive(end.other(), WHOLE);
        }
    }

    private static String event(final EventCounter counter, final int choice) {
        final byte[] one = {1, 0, 0, 0, 0, 0, 0, 0};
        final byte[][] values = new byte[World.BOTH.length][Long.BYTES];
        final boolean add = choice % 2 == 0;
        for (final World world : World.BOTH) {
            final Endpoint descriptor = counter.in(world);
            if (add) {
                descriptor.tryWrite(one, 0, one.length);
            } else if (descriptor.isReadable()) {
                descriptor.read(values[world.index()], 0, Long.BYTES);
            }
        }
        if (values[0][0] != values[1][0]) {
            throw new AssertionError(counter + ": " + values[1][0] + " instead of " + values[0][0]);
        }
        return add ? "add 1" : "read " + values[0][0];
    }

    /** Whether descriptors can be passed on it. */
    private static boolean carries(final End end) {
        return end.kind().socket() && end.canWrite() && !end.outgoing().hasBacklog();
    }

    private End end(final int choice, final Predicate<End> filter) {
        final End end = item(choice, End.class, filter);
        if (end != null) {
            acceptor.accept(end);
        }
        return end;
    }

    private <T extends Item> T item(final int choice, final Class<T> type, final Predicate<T> filter) {
        final List<T> candidates = new ArrayList<>();
        for (final Item item : items) {
            if (type.isInstance(item) && filter.test(type.cast(item))) {
                candidates.add(type.cast(item));
            }
        }
        return candidates.isEmpty() ? null : candidates.get(choice % candidates.size());
    }

    private static int choose(final int[] values, final int choice) {
        return values[choice % values.length];
    }
}
