/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.crash;

import io.vsockproxy.Role;
import io.vsockproxy.posix.Constants;
import io.vsockproxy.testing.Await;
import io.vsockproxy.testing.Endpoint;
import io.vsockproxy.testing.MountedPair;
import io.vsockproxy.testing.Mounts;
import io.vsockproxy.testing.Pairing;
import io.vsockproxy.testing.ProxyPair;
import io.vsockproxy.testing.ProxyProcess;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/**
 * Two proxies with mounts and an application on each side: four processes, each of which can be killed and restarted.
 * The test's own process has applications on both sides too.
 */
final class RestartablePair implements AutoCloseable {
    private final Pairing pairing;
    private final Path directory = Files.createTempDirectory("vp");
    private final Map<Role, Endpoint> listening = new EnumMap<>(Role.class);
    private final Map<Role, Endpoint> listeningToApplications = new EnumMap<>(Role.class);
    private final Map<Role, ProxyProcess> proxies = new EnumMap<>(Role.class);
    private final Map<Role, Process> applications = new EnumMap<>(Role.class);

    RestartablePair(final Pairing pairing) throws IOException {
        this.pairing = pairing;
        for (final Role side : Role.values()) {
            listening.put(side, Endpoint.listen(target(side)));
            listeningToApplications.put(side, Endpoint.listen(applicationTarget(side)));
        }
        startProxy(Role.HOST);
        startProxy(Role.GUEST);
    }

    /** The proxy of that side. */
    ProxyProcess proxy(final Role side) {
        return proxies.get(side);
    }

    /** Starts it and waits until it is ready. */
    void startProxy(final Role side) {
        final ProxyProcess last = proxies.get(side);
        if (last != null) {
            last.close();
        }
        proxies.put(side, ProxyProcess.start(arguments(side)).awaitReady());
    }

    /** Starts an application; see {@link KillableApplication}. Whatever the last one has left is taken away. */
    void startApplication(final Role side) throws IOException {
        applications.put(side, new ProcessBuilder(
            Path.of(System.getProperty("java.home"), "bin", "java").toString(),
            "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto", "-Xmx64m",
            "--add-exports", "java.base/jdk.internal.misc=ALL-UNNAMED", "--enable-native-access=ALL-UNNAMED",
            "-Dvsockproxy.native.path=" + System.getProperty("vsockproxy.native.path"),
            "-cp", System.getProperty("java.class.path"),
            KillableApplication.class.getName(), applicationForward(side).toString())
            .redirectError(ProcessBuilder.Redirect.INHERIT)
            .start());
    }

    /** SIGKILL. */
    void killProxy(final Role side) {
        proxies.get(side).kill();
    }

    /** SIGKILL. */
    void killApplication(final Role side) {
        applications.get(side).destroyForcibly();
    }

    /** Waits until it is no more. */
    void awaitEnd(final Role side) {
        final Process application = applications.get(side);
        try {
            if (!application.waitFor(Await.TIMEOUT_MS, TimeUnit.MILLISECONDS)) {
                throw new AssertionError("does not end: application of the " + side);
            }
        } catch (final InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }

    /** Connects an application of that side with one of the other. */
    Endpoint[] connect(final Role from) {
        final Endpoint client = Endpoint.connect(
            from == Role.HOST ? ProxyPair.hostForward(directory) : ProxyPair.guestForward(directory));
        return new Endpoint[] {client, listening.get(other(from)).accept()};
    }

    /** Accepts a connection of the application that is a process of that side. */
    Endpoint acceptApplication(final Role side) {
        return listeningToApplications.get(other(side)).accept();
    }

    /** Drops the connections that an application of that side has left. */
    void dropLeftConnections(final Role side) {
        final Endpoint accepting = listeningToApplications.get(other(side));
        while (accepting.poll(Constants.EPOLLIN, 0) != 0) {
            accepting.accept().close();
        }
    }

    /** How many descriptors each proxy has. */
    int[] descriptorCounts() {
        return new int[] {
            Await.stable(proxy(Role.HOST)::descriptorCount), Await.stable(proxy(Role.GUEST)::descriptorCount),
        };
    }

    /** Waits until each has as many. */
    void awaitDescriptorCounts(final int[] expected) {
        proxy(Role.HOST).awaitDescriptorCount(expected[0]);
        proxy(Role.GUEST).awaitDescriptorCount(expected[1]);
    }

    /** What is mounted. */
    List<String> mounts() throws IOException {
        return Mounts.below(directory);
    }

    /** Has the proxies end as they are asked to. */
    void terminate() {
        for (final Role side : Role.values()) {
            proxy(side).signal("TERM");
            if (proxy(side).awaitExit() != 0) {
                throw new AssertionError(proxy(side));
            }
        }
    }

    @Override
    public void close() throws IOException {
        applications.values().forEach(Process::destroyForcibly);
        proxies.values().forEach(ProxyProcess::close);
        listening.values().forEach(Endpoint::close);
        listeningToApplications.values().forEach(Endpoint::close);
        for (final Role side : Role.values()) {
            Mounts.detach(MountedPair.mount(directory, side));
        }
        MountedPair.delete(directory);
    }

    @Override
    public String toString() {
        return proxies.values().toString();
    }

    static Role other(final Role side) {
        return side == Role.HOST ? Role.GUEST : Role.HOST;
    }

    private String[] arguments(final Role side) {
        final List<String> all = new ArrayList<>(List.of(
            side == Role.HOST ? MountedPair.hostArguments(directory) : MountedPair.guestArguments(directory)));
        all.addAll(List.of(
            "--extensions", pairing.option(side),
            "--allow-connect", applicationTarget(side).toString(),
            "--forward", applicationForward(side) + "=" + applicationTarget(other(side))));
        return all.toArray(new String[0]);
    }

    private Path target(final Role side) {
        return side == Role.HOST ? ProxyPair.hostTarget(directory) : ProxyPair.guestTarget(directory);
    }

    private Path applicationTarget(final Role side) {
        return directory.resolve(side + "-application-target");
    }

    private Path applicationForward(final Role side) {
        return directory.resolve(side + "-application-forward");
    }
}
