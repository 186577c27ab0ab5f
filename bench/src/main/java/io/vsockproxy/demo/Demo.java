/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.demo;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;

/**
 * Starts a host proxy and a guest proxy on a unix-socket link, does everything through them that they are for, and
 * checks that it came out right and that nothing was left behind. Exit code 0 when all of it did, else 1.
 */
public final class Demo {
    private static final long STEP_TIMEOUT_S = 90;
    private static final long LEAK_NS = TimeUnit.SECONDS.toNanos(5);

    private static final List<Step> STEPS = List.of(
        new RoundTrips(), new BulkTransfer(), new DescriptorPassing(5), new ManyConnections());

    private final Path launcher;
    private final Path directory;
    private final Screen screen;
    private final List<Row> rows = new ArrayList<>();
    private ProxyProcess host;
    private ProxyProcess guest;

    private Demo(final Path launcher, final Path directory, final Screen screen) {
        this.launcher = launcher;
        this.directory = directory;
        this.screen = screen;
    }

    /**
     * Runs the demo.
     *
     * @param arguments the launcher of the proxies; an empty directory that only this user can look into; whether
     *                  standard output is a terminal, {@code true} or {@code false}.
     */
    public static void main(final String[] arguments) {
        final Demo demo = new Demo(
            Path.of(arguments[0]), Path.of(arguments[1]), new Screen(System.out, Boolean.parseBoolean(arguments[2])));
        // Not a return: a step that hangs would keep its thread, and closing descriptors below it is no way out.
        System.exit(demo.run());
    }

    private int run() {
        try {
            screen.begin("two proxies on a unix-socket link");
            try (Applications applications = start()) {
                // Everything once, so that what a proxy opens on first use, and keeps, does not count as left behind.
                new DescriptorPassing(1).run(applications, screen);
                final int hostBefore = host.settledDescriptorCount();
                final int guestBefore = guest.settledDescriptorCount();
                screen.done();
                for (final Step step : STEPS) {
                    runStep(step, applications);
                }
                checkDescriptors(hostBefore, guestBefore);
            }
            stop();
            screen.table(rows);
            return 0;
        } catch (final DemoException e) {
            screen.failed(e.getMessage());
            printLog("host", host);
            printLog("guest", guest);
            return 1;
        }
    }

    private Applications start() {
        final Path link = directory.resolve("link.sock");
        final Path hostSocket = directory.resolve("host-application.sock");
        final Path guestSocket = directory.resolve("guest-application.sock");
        host = ProxyProcess.start(launcher, directory, "host", List.of(
            "--listen", "unix:" + link, "--allow-connect", hostSocket.toString()));
        guest = ProxyProcess.start(launcher, directory, "guest", List.of(
            "--connect", "unix:" + link, "--forward", guestSocket + "=" + hostSocket));
        rows.add(Row.of("proxies ready after their start", String.format(
            Locale.ROOT, "host %d ms, guest %d ms", host.readyMs(), guest.readyMs())));
        return new Applications(hostSocket, guestSocket);
    }

    private void runStep(final Step step, final Applications applications) {
        screen.begin(step.name());
        final FutureTask<Void> task =
            Threads.start("demo-step", () -> rows.addAll(step.run(applications, screen)));
        Threads.await(task, STEP_TIMEOUT_S);
        screen.done();
    }

    private void checkDescriptors(final int hostBefore, final int guestBefore) {
        screen.begin("nothing left open in the proxies");
        final int hostAfter = host.descriptorCountDownTo(hostBefore, LEAK_NS);
        final int guestAfter = guest.descriptorCountDownTo(guestBefore, LEAK_NS);
        checkDescriptors(host, hostBefore, hostAfter);
        checkDescriptors(guest, guestBefore, guestAfter);
        rows.add(Row.of("descriptors open in the proxies", String.format(
            "host %d, guest %d, no more than before", hostAfter, guestAfter)));
        rows.add(Row.of("memory of the proxies", String.format(
            "host %d MiB, guest %d MiB", host.residentMiB(), guest.residentMiB())));
        screen.done();
    }

    private static void checkDescriptors(final ProxyProcess proxy, final int before, final int after) {
        if (after > before) {
            throw new DemoException("the " + proxy.role() + " proxy had " + before + " descriptors open, now " + after
                + ":" + proxy.descriptors());
        }
    }

    private void stop() {
        screen.begin("stopping");
        Check.equal("exit code of the guest proxy on SIGTERM", 0, guest.stop());
        Check.equal("exit code of the host proxy on SIGTERM", 0, host.stop());
        for (final String socket : new String[] {"link.sock", "guest-application.sock"}) {
            Check.that(socket + " is removed", Files.notExists(directory.resolve(socket)));
        }
        rows.add(Row.of("stopped by SIGTERM", "exit codes 0, sockets removed"));
        screen.done();
    }

    private static void printLog(final String role, final ProxyProcess proxy) {
        if (proxy != null) {
            System.out.println("---- the " + role + " proxy's log");
            System.out.print(proxy.log());
        }
    }
}
