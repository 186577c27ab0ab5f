/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.testing;

import io.vsockproxy.Forward;
import io.vsockproxy.Role;
import io.vsockproxy.VsockProxy;
import io.vsockproxy.config.SessionLimits;
import io.vsockproxy.posix.Descriptors;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.TimeUnit;

/**
 * A host and a guest joined by a unix socket, and a listening application on each side that the other side's
 * applications reach through them.
 */
public final class ProxyPair implements AutoCloseable {
    private final Path hostForward;
    private final Path guestForward;
    private final Endpoint hostServer;
    private final Endpoint guestServer;
    private final List<? extends AutoCloseable> proxies;

    private ProxyPair(
        final Path directory,
        final Endpoint hostServer,
        final Endpoint guestServer,
        final List<? extends AutoCloseable> proxies) {
        this.hostForward = hostForward(directory);
        this.guestForward = guestForward(directory);
        this.hostServer = hostServer;
        this.guestServer = guestServer;
        this.proxies = proxies;
    }

    /** Two proxies in this process. */
    public static ProxyPair inProcess(final Path directory) {
        return inProcess(directory, SessionLimits.DEFAULTS);
    }

    /** Two proxies in this process, with limits of their own. */
    public static ProxyPair inProcess(final Path directory, final SessionLimits limits) {
        final Endpoint hostServer = Endpoint.listen(hostTarget(directory));
        final Endpoint guestServer = Endpoint.listen(guestTarget(directory));
        final VsockProxy host = VsockProxy.launch(hostContext(directory).limits(limits));
        final VsockProxy guest = VsockProxy.launch(guestContext(directory).limits(limits));
        guest.ready().orTimeout(Await.TIMEOUT_MS, TimeUnit.MILLISECONDS).join();
        return new ProxyPair(directory, hostServer, guestServer, List.of(guest, host));
    }

    /** Two child processes, with arguments of their own. */
    public static ProxyPair processes(final Path directory, final String... more) {
        final Endpoint hostServer = Endpoint.listen(hostTarget(directory));
        final Endpoint guestServer = Endpoint.listen(guestTarget(directory));
        final ProxyProcess host = ProxyProcess.start(with(hostArguments(directory), more)).awaitReady();
        final ProxyProcess guest = ProxyProcess.start(with(guestArguments(directory), more)).awaitReady();
        return new ProxyPair(directory, hostServer, guestServer, List.of(guest, host));
    }

    /** What a host of such a pair is to do. */
    public static VsockProxy.Context hostContext(final Path directory) {
        return new VsockProxy.Context().role(Role.HOST).address(TestLink.in(directory))
            .allowConnect(hostTarget(directory).toString())
            .forward(new Forward(hostForward(directory).toString(), guestTarget(directory).toString()));
    }

    /** What a guest of such a pair is to do. */
    public static VsockProxy.Context guestContext(final Path directory) {
        return new VsockProxy.Context().role(Role.GUEST).address(TestLink.in(directory))
            .allowConnect(guestTarget(directory).toString())
            .forward(new Forward(guestForward(directory).toString(), hostTarget(directory).toString()));
    }

    /** The same on a command line. */
    public static String[] hostArguments(final Path directory) {
        return new String[] {
            "host", "--listen", TestLink.in(directory).toString(),
            "--allow-connect", hostTarget(directory).toString(),
            "--forward", hostForward(directory) + "=" + guestTarget(directory),
        };
    }

    /** The same on a command line. */
    public static String[] guestArguments(final Path directory) {
        return new String[] {
            "guest", "--connect", TestLink.in(directory).toString(),
            "--allow-connect", guestTarget(directory).toString(),
            "--forward", guestForward(directory) + "=" + hostTarget(directory),
        };
    }

    private static String[] with(final String[] arguments, final String... more) {
        final String[] all = Arrays.copyOf(arguments, arguments.length + more.length);
        System.arraycopy(more, 0, all, arguments.length, more.length);
        return all;
    }

    /** Where the host's application listens. */
    public static Path hostTarget(final Path directory) {
        return directory.resolve("host-target");
    }

    /** Where the guest's application listens. */
    public static Path guestTarget(final Path directory) {
        return directory.resolve("guest-target");
    }

    /** Where the host's applications connect to reach the guest's. */
    public static Path hostForward(final Path directory) {
        return directory.resolve("host-forward");
    }

    /** Where the guest's applications connect to reach the host's. */
    public static Path guestForward(final Path directory) {
        return directory.resolve("guest-forward");
    }

    /** Connects through both proxies: the end that asked, and the end that accepted, on the other side. */
    public Endpoint[] connect(final Role from) {
        final Endpoint client = Endpoint.connect(from == Role.GUEST ? guestForward : hostForward);
        return new Endpoint[] {client, (from == Role.GUEST ? hostServer : guestServer).accept()};
    }

    /** The guest's proxy, where it is a process. */
    public ProxyProcess guestProcess() {
        return (ProxyProcess) proxies.get(0);
    }

    /** The host's proxy, where it is a process. */
    public ProxyProcess hostProcess() {
        return (ProxyProcess) proxies.get(1);
    }

    /** How many descriptors are open here, in the guest and in the host; the latter two 0 when they are here too. */
    public int[] descriptorCounts() {
        return proxies.get(0) instanceof ProxyProcess
            ? new int[] {Descriptors.count(), guestProcess().descriptorCount(), hostProcess().descriptorCount()}
            : new int[] {Descriptors.count(), 0, 0};
    }

    /** Waits until {@link #descriptorCounts} is what it was. */
    public void awaitDescriptorCounts(final int[] expected) {
        Await.untilEqual(expected[0], Descriptors::count, "open descriptors of the test");
        awaitProxyDescriptorCounts(expected);
    }

    /** The same of the two processes alone. */
    public void awaitProxyDescriptorCounts(final int[] expected) {
        if (proxies.get(0) instanceof ProxyProcess) {
            guestProcess().awaitDescriptorCount(expected[1]);
            hostProcess().awaitDescriptorCount(expected[2]);
        }
    }

    @Override
    public void close() {
        Endpoint.closeAll(hostServer, guestServer);
        try {
            for (final AutoCloseable proxy : proxies) {
                proxy.close();
            }
        } catch (final Exception e) {
            throw new AssertionError(e);
        }
    }
}
