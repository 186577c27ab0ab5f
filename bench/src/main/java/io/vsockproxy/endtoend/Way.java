/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.endtoend;

import io.netty.channel.epoll.Epoll;
import io.vsockproxy.demo.Applications;
import io.vsockproxy.demo.DemoException;
import io.vsockproxy.demo.ProxyProcess;
import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.Stream;
import org.newsclub.net.unix.AFSocket;

/**
 * One way from the client to the server, set up: the processes on it, and the sockets at its ends. Closing it ends
 * them.
 */
final class Way implements AutoCloseable {
    private static final long READY_NS = TimeUnit.SECONDS.toNanos(20);
    private static final long STOP_S = 5;
    private static final long POLL_NS = TimeUnit.MILLISECONDS.toNanos(10);
    private static final String DIRECT = "direct";
    private static final String OVER_VSOCK = "vsock-proxy on vsock";
    private static final String SOCAT = "socat";
    private static final String NETTY = "Netty";
    private static final String JUNIXSOCKET = "junixsocket";
    /** All that there may be, in the order in which they are shown. */
    private static final List<String> NAMES = List.of(
        DIRECT, "vsock-proxy", "vsock-proxy --spin 0", OVER_VSOCK, SOCAT, NETTY, JUNIXSOCKET);
    private static final List<String> RELAY_FLAGS = List.of("-XX:+UseSerialGC", "-Xmx256m");

    private final Applications applications;
    private final boolean direct;
    private final List<Runnable> stops;
    private String jvmFlags = "";

    private Way(final Applications applications, final boolean direct, final List<Runnable> stops) {
        this.applications = applications;
        this.direct = direct;
        this.stops = stops;
    }

    /**
     * The ways that are available here: socat's only where it is installed, Netty's and junixsocket's only on the
     * platforms that they are built for, and the one over AF_VSOCK only in a virtual machine that the tests have
     * started.
     */
    static List<String> available() {
        return NAMES.stream().filter(Way::isAvailable).toList();
    }

    private static boolean isAvailable(final String name) {
        return switch (name) {
            case OVER_VSOCK -> System.getenv("VSOCKPROXY_VM") != null;
            case SOCAT -> Stream.of(System.getenv().getOrDefault("PATH", "").split(File.pathSeparator))
                .anyMatch(directory -> Files.isExecutable(Path.of(directory, SOCAT)));
            case NETTY -> Epoll.isAvailable();
            case JUNIXSOCKET -> AFSocket.isSupported();
            default -> true;
        };
    }

    /** Which of all that there may be anywhere it is: the same way has the same colour on each page. */
    static int number(final String name) {
        return NAMES.indexOf(name);
    }

    /** The JVM's flags of the relays in Java. */
    static String relayFlags() {
        return String.join(" ", RELAY_FLAGS);
    }

    /**
     * Starts the processes of this way.
     *
     * @param name      one of {@link #available}.
     * @param launcher  of the proxies.
     * @param directory for sockets and logs, empty.
     */
    static Way start(final String name, final Path launcher, final Path directory) throws IOException {
        Files.createDirectories(directory);
        final Path server = directory.resolve("server.sock");
        final Path middle = directory.resolve("link.sock");
        final Path entry = directory.resolve("entry.sock");
        final Way way = new Way(new Applications(server, entry), DIRECT.equals(name), new ArrayList<>());
        try {
            switch (name) {
                case DIRECT -> {
                    // A direct connection: no process to start.
                }
                case SOCAT -> {
                    way.relay(directory, middle, socat(middle, server));
                    way.relay(directory, entry, socat(entry, middle));
                }
                case NETTY -> {
                    way.relay(directory, middle, relay(NettyRelay.class, middle, server));
                    way.relay(directory, entry, relay(NettyRelay.class, entry, middle));
                }
                case JUNIXSOCKET -> {
                    way.relay(directory, middle, relay(JunixsocketRelay.class, middle, server));
                    way.relay(directory, entry, relay(JunixsocketRelay.class, entry, middle));
                }
                case OVER_VSOCK -> way.proxies("vsock:1:9900", List.of(), launcher, directory);
                default -> way.proxies("unix:" + middle, options(name), launcher, directory);
            }
            return way;
        } catch (final IOException | DemoException e) {
            way.close();
            throw e;
        }
    }

    /** The JVM's flags of a proxy on it; empty where there is none. */
    String jvmFlags() {
        return jvmFlags;
    }

    /** A new connection. */
    Applications.Ends connect() {
        return direct ? applications.connectDirectly() : applications.connect();
    }

    @Override
    public void close() {
        for (int i = stops.size() - 1; i >= 0; i--) {
            stops.get(i).run();
        }
        applications.close();
    }

    private void proxies(
        final String link, final List<String> options, final Path launcher, final Path directory) {
        final Path server = directory.resolve("server.sock");
        final List<String> host = new ArrayList<>(
            List.of("--listen", link, "--allow-connect", server.toString()));
        final List<String> guest = new ArrayList<>(
            List.of("--connect", link, "--forward", directory.resolve("entry.sock") + "=" + server));
        host.addAll(options);
        guest.addAll(options);
        final ProxyProcess started = ProxyProcess.start(launcher, directory, "host", host);
        jvmFlags = started.jvmFlags();
        stops.add(started::stop);
        stops.add(ProxyProcess.start(launcher, directory, "guest", guest)::stop);
    }

    /** What is said after the name's first word. */
    private static List<String> options(final String name) {
        final List<String> words = List.of(name.split(" "));
        return words.subList(1, words.size());
    }

    private void relay(final Path directory, final Path listening, final List<String> command) throws IOException {
        final Path log = directory.resolve(listening.getFileName() + ".log");
        final Process process = new ProcessBuilder(command)
            .redirectErrorStream(true).redirectOutput(log.toFile()).start();
        // A relay must not outlive this JVM, however that ends.
        Runtime.getRuntime().addShutdownHook(new Thread(process::destroyForcibly));
        stops.add(() -> end(process));
        final long startNs = System.nanoTime();
        while (Files.notExists(listening)) {
            if (!process.isAlive() || System.nanoTime() - startNs > READY_NS) {
                throw new DemoException(command.get(0) + " does not listen on " + listening + ":\n"
                    + Files.readString(log));
            }
            LockSupport.parkNanos(POLL_NS);
        }
    }

    private static void end(final Process process) {
        process.destroy();
        try {
            if (!process.waitFor(STOP_S, TimeUnit.SECONDS)) {
                process.destroyForcibly();
            }
        } catch (final InterruptedException e) {
            process.destroyForcibly();
            Thread.currentThread().interrupt();
        }
    }

    private static List<String> socat(final Path listening, final Path target) {
        return List.of(
            SOCAT, "-b", "65536", "UNIX-LISTEN:" + listening + ",fork,backlog=512", "UNIX-CONNECT:" + target);
    }

    private static List<String> relay(final Class<?> main, final Path listening, final Path target) {
        final List<String> command = new ArrayList<>(RELAY_FLAGS);
        command.add(0, Path.of(System.getProperty("java.home"), "bin", "java").toString());
        command.addAll(List.of(
            "-XX:+IgnoreUnrecognizedVMOptions", "--enable-native-access=ALL-UNNAMED",
            "--sun-misc-unsafe-memory-access=allow",
            "-cp", System.getProperty("java.class.path"), main.getName(), listening.toString(), target.toString()));
        return command;
    }
}
