/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.demo;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;

/**
 * Loads a host proxy and two guest proxies for a while, with faults: readers that stall or never read, applications
 * that are killed, peers that violate the protocol, and a guest that is killed and restarted. The other guest's
 * applications must notice none of this, and neither its proxy nor the host's may grow.
 *
 * <p>Once a minute the load is halted, and memory and descriptors are checked. The exit status is 0 when no byte was
 * wrong or lost, nothing was left open and nothing grew, otherwise 1.
 */
public final class Soak {
    private static final long MAX_INTERVAL_S = 60;
    private static final int MIN_SAMPLES = 4;
    /** What resident memory and the live heap may have grown since the first third: compiled code, tables. */
    private static final long MAX_GROWTH_KIB = 12 << 10;
    private static final long LEAK_NS = TimeUnit.SECONDS.toNanos(10);
    private static final int KILL_PAUSE_MS = 4_000;
    private static final int APPLICATION_PAUSE_MS = 2_500;
    private static final int PEER_PAUSE_MS = 150;
    private static final int PAUSE_MS = 10;

    private final Path launcher;
    private final Path directory;
    private final Path jcmd;
    private final long durationS;
    private final long seed;
    private final SoakLedger ledger = new SoakLedger();
    private final List<Sample> samples = new ArrayList<>();
    private final List<DescriptorKind> kinds = new ArrayList<>(DescriptorKinds.BASIC);
    private ProxyProcess host;
    private SoakGuest steady;
    private SoakGuest mortal;
    private int hostDescriptors;
    private int guestDescriptors;

    /** What a proxy uses while nothing is going on. */
    private record Usage(long residentMiB, long liveHeapKiB, int descriptors) {
        @Override
        public String toString() {
            return String.format(
                Locale.ROOT, "RSS %d MiB, heap %.1f MiB, %d fds", residentMiB, liveHeapKiB / 1024.0, descriptors);
        }
    }

    private record Sample(Usage host, Usage guest) { }

    private Soak(final String[] arguments) {
        launcher = Path.of(arguments[0]);
        directory = Path.of(arguments[1]).toAbsolutePath();
        durationS = Long.parseLong(arguments[2]);
        seed = arguments.length > 3 ? Long.parseLong(arguments[3]) : System.nanoTime();
        jcmd = Path.of(System.getProperty("java.home"), "bin", "jcmd");
    }

    /**
     * Runs the soak.
     *
     * @param arguments the launcher of the proxies; an empty directory that only this user can look into; for how many
     *                  seconds; the seed, or none.
     */
    public static void main(final String[] arguments) {
        // Not a return: a load that hangs would keep its thread.
        System.exit(new Soak(arguments).run());
    }

    private int run() {
        System.out.println("seed " + seed + ", " + durationS + " s");
        try {
            start();
            final SoakWorkers workers = new SoakWorkers(ledger, seed);
            startLoads(workers);
            final long intervalS = Math.min(MAX_INTERVAL_S, Math.max(1, durationS / MIN_SAMPLES));
            for (long passedS = intervalS; passedS <= durationS; passedS += intervalS) {
                LockSupport.parkNanos(TimeUnit.SECONDS.toNanos(intervalS));
                workers.halted(this::sample);
                System.out.printf(Locale.ROOT, "%5d s  host %s; guest %s; %,d MiB right, %s; faults %d%n",
                    passedS, last().host, last().guest, ledger.bytes.sum() >> 20, ledger.counts(),
                    ledger.faultCount());
            }
            workers.stop();
            steady.close();
            mortal.close();
            Check.equal("exit code of the host proxy", 0, host.stop());
            compare();
        } catch (final RuntimeException e) {
            if (ProxyProcess.areEnding()) {
                return 1;
            }
            ledger.fault(e.getMessage());
        }
        System.out.println(ledger.faultCount() == 0
            ? "passed: no byte lost or wrong, nothing left open, nothing grown" : "FAILED");
        return ledger.faultCount() == 0 ? 0 : 1;
    }

    private void start() {
        final Path link = directory.resolve("link.sock");
        final List<String> arguments = List.of(
            "--listen", "unix:" + link, "--allow-connect", SoakGuest.hostSocket(directory.resolve("steady")).toString(),
            "--allow-connect", SoakGuest.hostSocket(directory.resolve("mortal")).toString());
        boolean hasFiles = true;
        try {
            host = ProxyProcess.start(
                launcher, directory, "host", SoakGuest.withFiles(arguments, directory.resolve("host-files")));
        } catch (final DemoException e) {
            if (!e.getMessage().contains("mount")) {
                throw e;
            }
            System.out.println("no regular files: nothing can be mounted here");
            host = ProxyProcess.start(launcher, directory, "host", arguments);
            hasFiles = false;
        }
        if (hasFiles) {
            kinds.addAll(DescriptorKinds.WITH_FILES);
        }
        steady = new SoakGuest(launcher, directory.resolve("steady"), link, hasFiles);
        mortal = new SoakGuest(launcher, directory.resolve("mortal"), link, hasFiles);
        // Every load runs once first: what a proxy opens on first use, and keeps, does not count as left behind.
        SoakLoads.descriptors(kinds).run(steady.service(), new Random(seed), ledger);
        SoakLoads.descriptors(kinds).run(mortal.service(), new Random(seed), ledger);
        host.liveHeapKiB(jcmd);
        steady.proxy().liveHeapKiB(jcmd);
        hostDescriptors = host.settledDescriptorCount();
        guestDescriptors = steady.proxy().settledDescriptorCount();
    }

    private void startLoads(final SoakWorkers workers) {
        final SoakLoad applications = SoakLoads.killedApplications(new SoakApplication.Launcher(
            steady.socket().toString(), directory.resolve("applications.log").toFile()));
        workers.start("bulk", SoakLoads::bulk, steady, PAUSE_MS);
        workers.start("stalled reader", SoakLoads::stalledReader, steady, PAUSE_MS);
        workers.start("another stalled reader", SoakLoads::stalledReader, steady, PAUSE_MS);
        workers.start("connects", SoakLoads::connects, steady, PAUSE_MS);
        workers.start("descriptors", SoakLoads.descriptors(kinds), steady, PAUSE_MS);
        workers.start("killed application", applications, steady, APPLICATION_PAUSE_MS);
        workers.start(
            "bad peer", SoakLoads.badPeers(directory.resolve("link.sock").toString()), steady, PEER_PAUSE_MS);
        workers.start("bulk, guest killed", SoakLoads::bulk, mortal, PAUSE_MS);
        workers.start("connects, guest killed", SoakLoads::connects, mortal, PAUSE_MS);
        // The reader of a datagram socket is not told that the other end is closed, here as anywhere, and would wait
        // forever.
        final List<DescriptorKind> ending = kinds.stream().filter(kind -> !kind.what().startsWith("datagram")).toList();
        workers.start("descriptors, guest killed", SoakLoads.descriptors(ending), mortal, PAUSE_MS);
        workers.startKilling(mortal, KILL_PAUSE_MS);
    }

    private Sample last() {
        return samples.get(samples.size() - 1);
    }

    private void sample() {
        samples.add(new Sample(usage(host, hostDescriptors), usage(steady.proxy(), guestDescriptors)));
    }

    private Usage usage(final ProxyProcess proxy, final int expected) {
        final int descriptors = proxy.descriptorCountDownTo(expected, LEAK_NS);
        if (descriptors > expected) {
            ledger.fault(String.format("the %s proxy had %d descriptors open, now %d:%s",
                proxy.role(), expected, descriptors, proxy.descriptors()));
        }
        final long liveHeapKiB = proxy.liveHeapKiB(jcmd);
        return new Usage(proxy.residentMiB(), liveHeapKiB, descriptors);
    }

    private void compare() {
        final Sample first = samples.get(samples.size() / 3);
        compare("host", first.host, last().host);
        compare("guest", first.guest, last().guest);
    }

    private void compare(final String role, final Usage first, final Usage last) {
        System.out.printf("%s: from %s to %s%n", role, first, last);
        final long grownKiB = Math.max(
            (last.residentMiB - first.residentMiB) << 10, last.liveHeapKiB - first.liveHeapKiB);
        if (grownKiB > MAX_GROWTH_KIB) {
            ledger.fault(String.format(
                "the %s proxy has grown by %d KiB, more than %d", role, grownKiB, MAX_GROWTH_KIB));
        }
    }
}
