/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.demo;

import io.vsockproxy.LinkAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.TimeUnit;

/**
 * Starts a host proxy and a guest proxy on a link, uses every feature of theirs, and checks that the results are right
 * and that nothing is left behind. The exit status is 0 when everything succeeded, otherwise 1.
 */
public final class Demo {
    private static final long STEP_TIMEOUT_S = 90;
    private static final long LEAK_NS = TimeUnit.SECONDS.toNanos(5);

    private static final int ROUNDS = 5;

    private final Path launcher;
    private final Path directory;
    private final LinkAddress link;
    private final Screen screen;
    private final List<Row> rows = new ArrayList<>();
    private final List<DescriptorKind> kinds = new ArrayList<>(DescriptorKinds.BASIC);
    private ProxyProcess host;
    private ProxyProcess guest;

    private Demo(final Path launcher, final Path directory, final LinkAddress link, final Screen screen) {
        this.launcher = launcher;
        this.directory = directory;
        this.link = link;
        this.screen = screen;
    }

    /**
     * Runs the demo.
     *
     * @param arguments the launcher of the proxies; an empty directory that only this user can look into; whether
     *                  standard output is a terminal, {@code true} or {@code false}; the address of the link.
     */
    public static void main(final String[] arguments) {
        final Path directory = Path.of(arguments[1]).toAbsolutePath();
        final Demo demo = new Demo(
            Path.of(arguments[0]), directory,
            LinkAddress.parse(arguments.length > 3 ? arguments[3] : "unix:" + directory.resolve("link.sock")),
            new Screen(System.out, Boolean.parseBoolean(arguments[2])));
        // Not a return: a step that hangs would keep its thread alive, and closing its descriptors would not reliably
        // end it.
        System.exit(demo.run());
    }

    private int run() {
        try {
            screen.begin("two proxies on " + (link.isUnix() ? "a unix-socket link" : "a link at " + link));
            try (Applications applications = start()) {
                // Every step runs once first, so that what a proxy opens on first use, and keeps, does not count as
                // left behind.
                perform(new DescriptorPassing(kinds, 1), applications);
                final int hostBefore = host.settledDescriptorCount();
                final int guestBefore = guest.settledDescriptorCount();
                screen.done();
                show(new RoundTrips(), applications);
                show(new BulkTransfer(), applications);
                show(new DescriptorPassing(kinds, ROUNDS), applications);
                show(new ManyConnections(), applications);
                checkDescriptors(hostBefore, guestBefore);
            }
            stop();
            screen.table(rows);
            return 0;
        } catch (final DemoException e) {
            if (!ProxyProcess.areEnding()) {
                screen.failed(e.getMessage());
                printLog("host", host);
                printLog("guest", guest);
            }
            return 1;
        }
    }

    private Applications start() {
        if (link.isUnix()) {
            kinds.addAll(DescriptorKinds.ON_A_UNIX_LINK);
        }
        final Path hostSocket = directory.resolve("host-application.sock");
        final Path guestSocket = directory.resolve("guest-application.sock");
        startProxies(List.of("--listen", link.toString(), "--allow-connect", hostSocket.toString()),
            List.of("--connect", link.toString(), "--forward", guestSocket + "=" + hostSocket));
        rows.add(Row.of("proxies ready after their start", String.format(
            Locale.ROOT, "host %d ms, guest %d ms", host.readyMs(), guest.readyMs())));
        return new Applications(hostSocket, guestSocket);
    }

    /** With a file system for regular files, or without where none can be mounted, as in many containers. */
    private void startProxies(final List<String> hostArguments, final List<String> guestArguments) {
        try {
            host = ProxyProcess.start(launcher, directory, "host", withFiles(hostArguments, "host-files"));
            guest = ProxyProcess.start(launcher, directory, "guest", withFiles(guestArguments, "guest-files"));
            kinds.addAll(DescriptorKinds.WITH_FILES);
        } catch (final DemoException e) {
            if (!e.getMessage().contains("mount")) {
                throw e;
            }
            if (host != null) {
                host.stop();
            }
            host = ProxyProcess.start(launcher, directory, "host", hostArguments);
            guest = ProxyProcess.start(launcher, directory, "guest", guestArguments);
            screen.note("no regular files: " + e.getMessage().lines().reduce((first, last) -> last).orElse(""));
        }
    }

    private List<String> withFiles(final List<String> arguments, final String mountPoint) {
        final List<String> all = new ArrayList<>(arguments);
        all.addAll(List.of("--files", directory.resolve(mountPoint).toString()));
        return all;
    }

    private void show(final Step step, final Applications applications) {
        screen.begin(step.name());
        rows.addAll(perform(step, applications));
        screen.done();
    }

    private List<Row> perform(final Step step, final Applications applications) {
        final List<Row> result = new ArrayList<>();
        Threads.await(
            Threads.start("demo-step", () -> result.addAll(step.run(applications, screen))), STEP_TIMEOUT_S);
        return result;
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
        final Path guestSocket = directory.resolve("guest-application.sock");
        for (final Path socket : link.isUnix() ? List.of(Path.of(link.path()), guestSocket) : List.of(guestSocket)) {
            Check.that(socket + " is removed", Files.notExists(socket));
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
