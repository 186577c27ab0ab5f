/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.model;

import io.vsockproxy.Role;
import io.vsockproxy.testing.Await;
import io.vsockproxy.testing.Endpoint;
import io.vsockproxy.testing.FileCalls;
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

/**
 * The environment in which programs run: two proxy processes, and listening sockets on both sides in both worlds.
 */
final class Site implements AutoCloseable {
    private final Path directory;
    private final boolean files;
    private final Map<World, Map<Role, Endpoint>> listening = new EnumMap<>(World.class);
    private final ProxyProcess host;
    private final ProxyProcess guest;
    private final int[] descriptorsBefore;

    Site(final Pairing pairing) throws IOException {
        directory = Files.createTempDirectory("vp");
        files = Mounts.isMountable();
        for (final World world : World.BOTH) {
            final Map<Role, Endpoint> sides = new EnumMap<>(Role.class);
            for (final Role side : Role.values()) {
                sides.put(side, Endpoint.listen(target(world, side)));
            }
            listening.put(world, sides);
        }
        host = ProxyProcess.start(arguments(pairing, Role.HOST)).awaitReady();
        guest = ProxyProcess.start(arguments(pairing, Role.GUEST)).awaitReady();
        FileCalls.load();
        descriptorsBefore = new int[] {
            Await.stable(host::descriptorCount), Await.stable(guest::descriptorCount),
        };
    }

    /** Connects from an application of that side to one of the other. */
    Endpoint connect(final World world, final Role from) {
        if (world == World.PLAIN) {
            return Endpoint.connect(target(world, other(from)));
        }
        return Endpoint.connect(
            from == Role.HOST ? ProxyPair.hostForward(directory) : ProxyPair.guestForward(directory));
    }

    /** What the applications of that side accept from. */
    Endpoint listening(final World world, final Role side) {
        return listening.get(world).get(side);
    }

    /** Whether regular files can be passed here. */
    boolean hasFiles() {
        return files;
    }

    /** For files. */
    Path directory() {
        return directory;
    }

    /** Waits until both proxies have as many descriptors as in the beginning. */
    void expectNothingLeft() {
        host.awaitDescriptorCount(descriptorsBefore[0]);
        guest.awaitDescriptorCount(descriptorsBefore[1]);
    }

    /** Resident memory of the larger of the two, in KiB. */
    long residentKib() {
        return Math.max(host.residentKib(), guest.residentKib());
    }

    /** For a test that has failed. */
    String log() {
        return guest + "\n" + host;
    }

    /** Ends both at once: what still waits for them then fails. */
    void kill() {
        host.signal("KILL");
        guest.signal("KILL");
    }

    @Override
    public void close() throws IOException {
        guest.close();
        host.close();
        listening.values().forEach(sides -> sides.values().forEach(Endpoint::close));
        for (final Role side : Role.values()) {
            Mounts.detach(MountedPair.mount(directory, side));
        }
        MountedPair.delete(directory);
    }

    static Role other(final Role side) {
        return side == Role.HOST ? Role.GUEST : Role.HOST;
    }

    private Path target(final World world, final Role side) {
        if (world == World.PLAIN) {
            return directory.resolve("plain-" + side);
        }
        return side == Role.HOST ? ProxyPair.hostTarget(directory) : ProxyPair.guestTarget(directory);
    }

    private String[] arguments(final Pairing pairing, final Role side) {
        final List<String> all = new ArrayList<>();
        if (files) {
            all.addAll(List.of(
                side == Role.HOST ? MountedPair.hostArguments(directory) : MountedPair.guestArguments(directory)));
        } else {
            all.addAll(List.of(
                side == Role.HOST ? ProxyPair.hostArguments(directory) : ProxyPair.guestArguments(directory)));
        }
        all.addAll(List.of("--extensions", pairing.option(side)));
        return all.toArray(new String[0]);
    }
}
