/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.demo;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;

/**
 * A guest proxy and the applications that use it. The host proxy is shared with the other guest.
 *
 * <p>The guest can be killed and restarted. What applications were doing through it then fails, which does not count as
 * an error, since {@link #generation} has changed. Not thread-safe except for that method.
 */
final class SoakGuest implements AutoCloseable {
    private final Path launcher;
    private final Path directory;
    private final List<String> arguments;
    private final Path guestSocket;
    private final SoakService service;
    private ProxyProcess proxy;
    private volatile int generation;

    /**
     * Starts it.
     *
     * @param directory for its sockets, log and mount; made here.
     * @param link      the host's socket.
     * @param hasFiles  whether it mounts a file system.
     */
    SoakGuest(final Path launcher, final Path directory, final Path link, final boolean hasFiles) {
        this.launcher = launcher;
        this.directory = directory;
        guestSocket = directory.resolve("guest-application.sock");
        final List<String> common =
            List.of("--connect", "unix:" + link, "--forward", guestSocket + "=" + hostSocket(directory));
        arguments = hasFiles ? withFiles(common, directory.resolve("guest-files")) : common;
        try {
            Files.createDirectory(directory);
        } catch (final IOException e) {
            throw new UncheckedIOException(e);
        }
        start();
        service = new SoakService(new Applications(hostSocket(directory), guestSocket));
    }

    /** Where the host's application of the guest in {@code directory} listens. */
    static Path hostSocket(final Path directory) {
        return directory.resolve("host-application.sock");
    }

    /** {@code arguments} and a place for files. */
    static List<String> withFiles(final List<String> arguments, final Path mountPoint) {
        return Stream.concat(arguments.stream(), Stream.of("--files", mountPoint.toString())).toList();
    }

    SoakService service() {
        return service;
    }

    ProxyProcess proxy() {
        return proxy;
    }

    Path socket() {
        return guestSocket;
    }

    /** Changes when it is killed, and when it serves again; odd between the two. */
    int generation() {
        return generation;
    }

    /** Kills it and starts another one. */
    @SuppressWarnings("NonAtomicVolatileUpdate")
    void restart() {
        generation++;
        proxy.kill();
        service.abandonExpected();
        start();
        generation++;
    }

    /** Stops it and its applications. */
    @Override
    public void close() {
        service.close();
        Check.equal("exit code of the guest proxy", 0, proxy.stop());
    }

    private void start() {
        proxy = ProxyProcess.start(launcher, directory, "guest", arguments);
    }
}
