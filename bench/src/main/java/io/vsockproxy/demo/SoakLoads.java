/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.demo;

import io.vsockproxy.posix.Constants;
import io.vsockproxy.posix.PosixException;
import io.vsockproxy.posix.Syscalls;
import java.util.List;
import java.util.Random;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;

/**
 * The loads of a soak: what its applications do.
 */
final class SoakLoads {
    private static final int MIN_BULK_LENGTH = 1 << 20;
    private static final int MAX_BULK_LENGTH = 32 << 20;
    /** More than all the windows and socket buffers on the way. */
    private static final int STALLED_LENGTH = 12 << 20;
    private static final int MAX_STALL_MS = 2_000;
    private static final int CONNECTIONS = 40;
    private static final int MESSAGE_LENGTH = 200;
    private static final long TIMEOUT_S = 60;

    private SoakLoads() {
    }

    /** Much both ways at once, with an end each way. */
    static void bulk(final SoakService service, final Random random, final SoakLedger ledger) {
        final long seed = random.nextLong();
        final int up = MIN_BULK_LENGTH + random.nextInt(MAX_BULK_LENGTH);
        final int down = MIN_BULK_LENGTH + random.nextInt(MAX_BULK_LENGTH);
        try (Applications.Ends ends = service.connect()) {
            final FutureTask<Void> receiving = Threads.start("soak-receive", () -> SoakTransfer.receive(
                "bulk, host to guest", ends.guest(), ~seed, down, 0, ledger));
            SoakTransfer.join(
                ends, () -> SoakTransfer.receive("bulk, guest to host", ends.host(), seed, up, 0, ledger),
                SoakTransfer.startSending(ends.guest(), seed, up), SoakTransfer.startSending(ends.host(), ~seed, down),
                receiving);
        }
        ledger.count("bulk");
    }

    /** A reader that takes nothing for a while, then everything; or never comes. */
    static void stalledReader(final SoakService service, final Random random, final SoakLedger ledger) {
        final long seed = random.nextLong();
        final boolean comes = random.nextInt(4) > 0;
        try (Applications.Ends ends = service.connect()) {
            final boolean isUp = random.nextBoolean();
            final Channel from = isUp ? ends.guest() : ends.host();
            final Channel to = isUp ? ends.host() : ends.guest();
            final FutureTask<Void> sending = SoakTransfer.startSending(from, seed, STALLED_LENGTH);
            LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(random.nextInt(MAX_STALL_MS)));
            if (comes) {
                SoakTransfer.join(
                    ends, () -> SoakTransfer.receive("stalled reader", to, seed, STALLED_LENGTH, 100_000, ledger),
                    sending);
            } else {
                abandon(to, sending);
            }
        }
        ledger.count("stalled");
    }

    /** The reader goes without having read: its writer must be told. */
    private static void abandon(final Channel reader, final FutureTask<Void> sending) {
        reader.close();
        try {
            Threads.await(sending, TIMEOUT_S);
        } catch (final DemoException e) {
            if (e.getCause() instanceof PosixException) {
                return;
            }
            throw e;
        }
        throw new DemoException("all of it was written, though nobody read any");
    }

    /** Many connections at once, a message each way on each. */
    static void connects(final SoakService service, final Random random, final SoakLedger ledger) {
        final Applications.Ends[] all = new Applications.Ends[CONNECTIONS];
        try {
            for (int i = 0; i < CONNECTIONS; i++) {
                all[i] = service.connect();
            }
            for (final Applications.Ends ends : all) {
                final SoakBytes bytes = new SoakBytes(random.nextLong());
                exchange("message, guest to host", bytes, ends.guest(), ends.host());
                exchange("message, host to guest", bytes, ends.host(), ends.guest());
                ledger.bytes.add(2 * MESSAGE_LENGTH);
                ledger.count("connections");
            }
        } finally {
            for (final Applications.Ends ends : all) {
                if (ends != null) {
                    ends.close();
                }
            }
        }
    }

    private static void exchange(final String what, final SoakBytes bytes, final Channel from, final Channel to) {
        from.writeFully(bytes.put(0, MESSAGE_LENGTH), MESSAGE_LENGTH);
        // The bytes were sent from the same buffer that they are received into, so nothing of them may be left there.
        bytes.clear();
        to.readFully(bytes.receiveAddress(), MESSAGE_LENGTH);
        bytes.check(what, 0, MESSAGE_LENGTH);
    }

    /** Each of {@code kinds} passed and used, both ways. */
    static SoakLoad descriptors(final List<DescriptorKind> kinds) {
        return (service, random, ledger) -> {
            try (Applications.Ends ends = service.connect()) {
                for (final DescriptorKind kind : kinds) {
                    pass(kind, "guest to host", ends.guest(), ends.host());
                    pass(kind, "host to guest", ends.host(), ends.guest());
                    ledger.count("descriptors");
                    ledger.count("descriptors");
                }
            }
        };
    }

    private static void pass(
        final DescriptorKind kind, final String direction, final Channel from, final Channel to) {
        try {
            kind.usage().use(from, to);
        } catch (final RuntimeException e) {
            throw new DemoException(kind.what() + ", " + direction + ": " + e.getMessage(), e);
        }
    }

    /** A peer that breaks the protocol in the middle of a frame, at once, or says nothing: it alone is cut off. */
    static SoakLoad badPeers(final String link) {
        return (service, random, ledger) -> {
            try (Channel peer = Applications.connect(link)) {
                final SoakBytes bytes = new SoakBytes(random.nextLong());
                final int length = random.nextInt(SoakBytes.CHUNK_LENGTH);
                final long address = bytes.put(0, length);
                if (length >= Long.BYTES && random.nextBoolean()) {
                    bytes.frame(length - Long.BYTES + random.nextInt(3) - 1);
                }
                try {
                    peer.writeFully(address, length);
                    PosixException.check(Syscalls.shutdown(peer.fd(), Constants.SHUT_WR), "shutdown");
                    while (peer.readSome(bytes.receiveAddress(), SoakBytes.CHUNK_LENGTH) > 0) {
                        Thread.onSpinWait();
                    }
                } catch (final PosixException e) {
                    // ECONNRESET or EPIPE: the connection was closed before everything was sent.
                    ledger.count("cut off early");
                }
            }
            ledger.count("bad peers");
        };
    }

    /** An application of the guest's that is killed at work: what it had written comes, then the end. */
    static SoakLoad killedApplications(final SoakApplication.Launcher launcher) {
        return (service, random, ledger) -> {
            final long seed = random.nextLong();
            final SoakBytes bytes = new SoakBytes(seed);
            try (SoakService.Expected expected = service.expect()) {
                final Process application = launcher.start(expected.greeting(), seed);
                try (Channel channel = expected.await()) {
                    channel.write("ok");
                    final Channel.Message message = channel.receive();
                    Check.equal("descriptors of the application's", 1, message.descriptors().size());
                    try (Channel pipe = message.descriptors().get(0)) {
                        channel.write("go");
                        LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(random.nextInt(300)));
                        final FutureTask<Void> killing = Threads.start("soak-kill", application::destroyForcibly);
                        SoakTransfer.receiveUntilEnd("killed application's pipe", pipe, bytes, 0, 0, ledger);
                        receiveRest(channel, new SoakBytes(seed), ledger);
                        Threads.await(killing, TIMEOUT_S);
                    }
                } finally {
                    application.destroyForcibly().onExit().join();
                }
            }
            ledger.count("killed applications");
        };
    }

    private static void receiveRest(final Channel channel, final SoakBytes bytes, final SoakLedger ledger) {
        try {
            SoakTransfer.receiveUntilEnd("killed application", channel, bytes, 0, 0, ledger);
        } catch (final PosixException e) {
            // ECONNRESET: the other end had not read everything.
            ledger.count("resets");
        }
    }
}
