/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.demo;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * A proxy in a process of its own, started as a user would start it.
 */
public final class ProxyProcess {
    private static final long READY_TIMEOUT_S = 30;
    private static final long STOP_TIMEOUT_S = 5;
    /** The end of a datagram socket is looked for twice a second; everything else is told at once. */
    private static final long SETTLED_NS = TimeUnit.MILLISECONDS.toNanos(700);
    private static final double NS_PER_S = 1e9;
    private static final long POLL_NS = TimeUnit.MILLISECONDS.toNanos(10);

    private static volatile boolean ending;

    private final String role;
    private final Process process;
    private final Path log;
    private final long readyMs;
    private final Thread ender;

    private ProxyProcess(
        final String role, final Process process, final Path log, final long readyMs, final Thread ender) {
        this.role = role;
        this.process = process;
        this.log = log;
        this.readyMs = readyMs;
        this.ender = ender;
    }

    /**
     * Starts a proxy and waits until it says that it is ready.
     *
     * @param directory for its log, and for a file with its process id, which is written before it is ready.
     * @throws DemoException when it does not become ready.
     */
    public static ProxyProcess start(
        final Path launcher, final Path directory, final String role, final List<String> arguments) {
        final List<String> command = new ArrayList<>(List.of(launcher.toString(), role));
        command.addAll(arguments);
        final Path log = directory.resolve(role + ".log");
        final long startNs = System.nanoTime();
        try {
            final Process process = new ProcessBuilder(command).redirectError(log.toFile()).start();
            // A proxy must not outlive this JVM, however that ends.
            final Thread ender = new Thread(() -> {
                ending = true;
                end(process);
            });
            Runtime.getRuntime().addShutdownHook(ender);
            Files.writeString(directory.resolve(role + ".pid"), process.pid() + "\n");
            final String line = firstLine(process);
            if (line == null || !line.startsWith("ready: ")) {
                end(process);
                throw new DemoException(role + " proxy said '" + line + "' where 'ready: ...' was due\n"
                    + Files.readString(log));
            }
            return new ProxyProcess(
                role, process, log, TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - startNs), ender);
        } catch (final IOException e) {
            throw new DemoException("cannot start " + launcher, e);
        }
    }

    /** Whether proxies are being ended because this JVM is: what goes wrong from then on is no news. */
    static boolean areEnding() {
        return ending;
    }

    /** {@code host} or {@code guest}. */
    String role() {
        return role;
    }

    /** Time from its start to its word that it serves. */
    long readyMs() {
        return readyMs;
    }

    /** The flags of its JVM that are no paths: those that choose how it runs. */
    public String jvmFlags() {
        try {
            return Stream.of(Files.readString(Path.of("/proc/" + process.pid() + "/cmdline")).split("\0"))
                .filter(argument -> argument.startsWith("-X") && !argument.startsWith("-Xlog")
                    && !argument.contains("/"))
                .collect(Collectors.joining(" "));
        } catch (final IOException e) {
            throw new DemoException("the " + role + " proxy is gone:\n" + log(), e);
        }
    }

    /** What it has logged. */
    String log() {
        try {
            return Files.readString(log);
        } catch (final IOException e) {
            return "no log: " + e;
        }
    }

    /** How many descriptors it has open now. */
    int descriptorCount() {
        try (Stream<Path> descriptors = Files.list(Path.of("/proc/" + process.pid() + "/fd"))) {
            return (int) descriptors.count();
        } catch (final IOException e) {
            throw new DemoException("the " + role + " proxy is gone:\n" + log(), e);
        }
    }

    /** Its descriptors once their number has not changed for longer than the proxy takes to notice anything. */
    int settledDescriptorCount() {
        int count = descriptorCount();
        long sinceNs = System.nanoTime();
        while (System.nanoTime() - sinceNs < SETTLED_NS) {
            LockSupport.parkNanos(POLL_NS);
            final int now = descriptorCount();
            if (now != count) {
                count = now;
                sinceNs = System.nanoTime();
            }
        }
        return count;
    }

    /** Its descriptors once they are no more than {@code expected}, or when {@code timeoutNs} is over. */
    int descriptorCountDownTo(final int expected, final long timeoutNs) {
        final long startNs = System.nanoTime();
        int count = descriptorCount();
        while (count > expected && System.nanoTime() - startNs < timeoutNs) {
            LockSupport.parkNanos(POLL_NS);
            count = descriptorCount();
        }
        return count;
    }

    /** What it has open, for people: what each descriptor refers to. */
    String descriptors() {
        try (Stream<Path> descriptors = Files.list(Path.of("/proc/" + process.pid() + "/fd"))) {
            return descriptors.map(ProxyProcess::target).sorted().collect(Collectors.joining("\n  ", "\n  ", ""));
        } catch (final IOException e) {
            throw new DemoException("the " + role + " proxy is gone:\n" + log(), e);
        }
    }

    /** Memory in RAM, shared pages of the JDK's files included, in MiB. */
    long residentMiB() {
        try (Stream<String> lines = Files.lines(Path.of("/proc/" + process.pid() + "/status"))) {
            return lines.filter(line -> line.startsWith("VmRSS:"))
                .mapToLong(line -> Long.parseLong(line.replaceAll("\\D", "")) / 1024)
                .findFirst().orElse(0);
        } catch (final IOException | UncheckedIOException e) {
            throw new DemoException("the " + role + " proxy is gone:\n" + log(), e);
        }
    }

    /**
     * The part of the heap, in KiB, that is in use after a collection.
     *
     * @param jcmd of the JDK that runs it.
     */
    long liveHeapKiB(final Path jcmd) {
        ask(jcmd, "GC.run");
        // One line for each generation: "tenured generation   total 43712K, used 2345K [...".
        return ask(jcmd, "GC.heap_info").lines()
            .filter(line -> line.contains("generation"))
            .mapToLong(line -> Long.parseLong(line.replaceAll(".*used (\\d+)K.*", "$1")))
            .sum();
    }

    /** Ends it with SIGKILL. */
    void kill() {
        process.destroyForcibly().onExit().join();
        Runtime.getRuntime().removeShutdownHook(ender);
    }

    /** Processor time that its threads have taken so far. */
    double cpuSeconds() {
        try (Stream<Path> threads = Files.list(Path.of("/proc/" + process.pid() + "/task"))) {
            return threads.mapToLong(ProxyProcess::cpuNs).sum() / NS_PER_S;
        } catch (final IOException e) {
            throw new DemoException("the " + role + " proxy is gone:\n" + log(), e);
        }
    }

    /** Stops it with SIGTERM and tells its exit code. */
    public int stop() {
        if (!end(process)) {
            throw new DemoException(
                "the " + role + " proxy has not stopped " + STOP_TIMEOUT_S + " s after SIGTERM:\n" + log());
        }
        return process.exitValue();
    }

    /** Ends a proxy: with SIGTERM, so that it removes its sockets and its mount; if that takes too long, by force. */
    private static boolean end(final Process process) {
        process.destroy();
        try {
            if (process.waitFor(STOP_TIMEOUT_S, TimeUnit.SECONDS)) {
                return true;
            }
        } catch (final InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        process.destroyForcibly();
        return false;
    }

    private String ask(final Path jcmd, final String command) {
        try {
            final Process asking = new ProcessBuilder(jcmd.toString(), Long.toString(process.pid()), command)
                .redirectErrorStream(true).start();
            final String answer = new String(asking.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
            Check.equal("exit code of jcmd " + command, 0, asking.onExit().join().exitValue());
            return answer;
        } catch (final IOException e) {
            throw new DemoException("jcmd " + command + " of the " + role + " proxy", e);
        }
    }

    private static long cpuNs(final Path thread) {
        try {
            return Long.parseLong(Files.readString(thread.resolve("schedstat")).split(" ")[0]);
        } catch (final IOException e) {
            // It has ended meanwhile.
            return 0;
        }
    }

    private static String target(final Path link) {
        try {
            return link.getFileName() + " " + Files.readSymbolicLink(link);
        } catch (final IOException e) {
            return link.getFileName() + " (just closed)";
        }
    }

    private static String firstLine(final Process process) {
        final CompletableFuture<String> line = CompletableFuture.supplyAsync(() -> {
            try {
                return new BufferedReader(
                    new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8)).readLine();
            } catch (final IOException e) {
                throw new UncheckedIOException(e);
            }
        });
        try {
            return line.get(READY_TIMEOUT_S, TimeUnit.SECONDS);
        } catch (final InterruptedException | ExecutionException e) {
            return "(" + e.getMessage() + ")";
        } catch (final TimeoutException e) {
            return "(nothing in " + READY_TIMEOUT_S + " s)";
        }
    }
}
