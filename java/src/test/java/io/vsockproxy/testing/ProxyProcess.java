/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.testing;

import static org.junit.jupiter.api.Assertions.fail;

import com.sun.jna.Native;
import io.vsockproxy.cli.Main;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.net.URISyntaxException;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import org.agrona.DirectBuffer;
import picocli.CommandLine;

/**
 * A proxy as a user would start it: a child process with the launcher's flags, and -Xcheck:jni.
 */
public final class ProxyProcess implements AutoCloseable {
    private final Process process;
    private final List<String> output = new CopyOnWriteArrayList<>();
    private final List<String> errors = new CopyOnWriteArrayList<>();
    private final List<Thread> readers = new ArrayList<>();
    private final String name;

    private ProxyProcess(final Process process, final String name) {
        this.process = process;
        this.name = name;
        read(process.getInputStream(), output);
        read(process.getErrorStream(), errors);
    }

    /** Starts one, and does not wait for it. */
    public static ProxyProcess start(final String... arguments) {
        return start(List.of(), arguments);
    }

    /** Starts one behind a command that execs it, like a shell that sets limits. */
    public static ProxyProcess start(final List<String> prefix, final String... arguments) {
        final List<String> command = new ArrayList<>(prefix);
        command.addAll(List.of(
            // If the tests are part of a shell's background job, they ignore SIGINT, and their children would inherit
            // that.
            "env", "--default-signal=INT",
            Path.of(System.getProperty("java.home"), "bin", "java").toString(),
            "-XX:+UseSerialGC", "-Xms16m", "-Xmx256m", "-Xss512k", "-XX:-UsePerfData", "-Xshare:auto",
            "-XX:TieredStopAtLevel=1", "-XX:C1MaxInlineSize=80", "-XX:C1MaxInlineLevel=16", "-XX:C1InlineStackLimit=20",
            "--add-exports", "java.base/jdk.internal.misc=ALL-UNNAMED",
            "--enable-native-access=ALL-UNNAMED", "-Xcheck:jni",
            "-Dvsockproxy.native.path=" + System.getProperty("vsockproxy.native.path"),
            "-Djava.util.logging.SimpleFormatter.format=%4$s %5$s%6$s%n",
            "-cp", location(Main.class) + ":" + location(DirectBuffer.class) + ":" + location(CommandLine.class) + ":"
                + location(Native.class),
            Main.class.getName()));
        command.addAll(Arrays.asList(arguments));
        try {
            return new ProxyProcess(new ProcessBuilder(command).start(), String.join(" ", arguments));
        } catch (final IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Waits for its ready line. */
    public ProxyProcess awaitReady() {
        Await.until(
            () -> output.stream().anyMatch(line -> line.startsWith("ready: ")) || !process.isAlive(),
            () -> "ready line of " + this);
        if (!process.isAlive()) {
            awaitReaders();
            fail("ended before it was ready: " + this);
        }
        return this;
    }

    /** The process id. */
    public long pid() {
        return process.pid();
    }

    /** Whether it runs. */
    public boolean isAlive() {
        return process.isAlive();
    }

    /** Lines on standard output so far; after {@link #awaitExit}, all. */
    public List<String> output() {
        return List.copyOf(output);
    }

    /** Lines on standard error so far; after {@link #awaitExit}, all. */
    public List<String> errors() {
        return List.copyOf(errors);
    }

    /** Waits for the one log line with {@code text}. */
    public String awaitErrorLine(final String text) {
        Await.until(
            () -> errors.stream().anyMatch(line -> line.contains(text)), () -> "line with '" + text + "' of " + this);
        final List<String> found = errors.stream().filter(line -> line.contains(text)).toList();
        if (found.size() != 1) {
            fail("lines with '" + text + "': " + found);
        }
        return found.get(0);
    }

    /** Sends a signal by its name. */
    public void signal(final String signal) {
        try {
            final Process kill = new ProcessBuilder("kill", "-" + signal, Long.toString(pid())).start();
            if (!kill.waitFor(Await.TIMEOUT_MS, TimeUnit.MILLISECONDS) || kill.exitValue() != 0) {
                fail("kill -" + signal + " " + pid());
            }
        } catch (final IOException e) {
            throw new UncheckedIOException(e);
        } catch (final InterruptedException e) {
            throw new AssertionError(e);
        }
    }

    /** SIGKILL, sent when this returns. */
    public void kill() {
        process.destroyForcibly();
    }

    /** Waits for its end: the exit status. */
    public int awaitExit() {
        try {
            if (!process.waitFor(Await.TIMEOUT_MS, TimeUnit.MILLISECONDS)) {
                fail("does not end: " + this);
            }
        } catch (final InterruptedException e) {
            throw new AssertionError(e);
        }
        awaitReaders();
        return process.exitValue();
    }

    /** Open descriptors; files that the JVM opens when it likes are left out. */
    public int descriptorCount() {
        return descriptors().size();
    }

    /** What its open descriptors are. */
    public List<String> descriptors() {
        final List<String> open = new ArrayList<>();
        try (DirectoryStream<Path> entries = Files.newDirectoryStream(Path.of("/proc/" + pid() + "/fd"))) {
            for (final Path entry : entries) {
                try {
                    final String target = Files.readSymbolicLink(entry).toString();
                    if (!isTheJvms(target)) {
                        open.add(target);
                    }
                } catch (final NoSuchFileException e) {
                    // Closed since the directory was read.
                }
            }
        } catch (final IOException e) {
            throw new UncheckedIOException(e);
        }
        return open;
    }

    private static boolean isTheJvms(final String target) {
        return target.endsWith(".jar") || target.endsWith(".class") || target.startsWith("/dev/")
            || target.startsWith("/sys/") || target.startsWith("/proc/");
    }

    /** Waits until as many descriptors are open as {@code expected}. */
    public void awaitDescriptorCount(final int expected) {
        Await.until(
            () -> descriptorCount() == expected,
            () -> "open descriptors: expected=" + expected + ", actual=" + descriptors() + " of " + this);
    }

    /** Resident memory in KiB: VmRSS. */
    public long residentKib() {
        return statusKib("VmRSS:");
    }

    /** Address space in KiB: VmSize. */
    public long virtualKib() {
        return statusKib("VmSize:");
    }

    private long statusKib(final String field) {
        try {
            return Files.readAllLines(Path.of("/proc/" + pid() + "/status")).stream()
                .filter(line -> line.startsWith(field))
                .mapToLong(line -> Long.parseLong(line.replaceAll("[^0-9]", "")))
                .findFirst().orElseThrow();
        } catch (final IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Ends it if it runs, and fails when -Xcheck:jni had something to say. */
    @Override
    public void close() {
        process.destroyForcibly();
        try {
            process.waitFor(Await.TIMEOUT_MS, TimeUnit.MILLISECONDS);
        } catch (final InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        awaitReaders();
        final List<String> unexpected = jniWarnings();
        if (!unexpected.isEmpty()) {
            fail("-Xcheck:jni: " + unexpected);
        }
    }

    /** What -Xcheck:jni has said, with the calls that led to it; not about JNA, which it does not like. */
    private List<String> jniWarnings() {
        final List<String> warnings = new ArrayList<>();
        StringBuilder warning = null;
        for (final String line : output) {
            if (line.contains("in native method") || line.contains("JNI")) {
                warning = new StringBuilder();
                warnings.add("");
            }
            if (warning != null) {
                warning.append(line).append('\n');
                warnings.set(warnings.size() - 1, warning.toString());
            }
        }
        warnings.removeIf(text -> text.contains("com.sun.jna"));
        return warnings;
    }

    @Override
    public String toString() {
        return name + " (alive=" + process.isAlive() + ")\noutput: " + output + "\nerrors: " + errors;
    }

    private void awaitReaders() {
        for (final Thread reader : readers) {
            try {
                reader.join(Await.TIMEOUT_MS);
            } catch (final InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        }
    }

    private void read(final InputStream stream, final List<String> lines) {
        final Thread reader = new Thread(() -> {
            try (BufferedReader text = new BufferedReader(new InputStreamReader(stream, StandardCharsets.UTF_8))) {
                for (String line = text.readLine(); line != null; line = text.readLine()) {
                    lines.add(line);
                }
            } catch (final IOException e) {
                lines.add(e.toString());
            }
        }, "reader of " + name);
        reader.setDaemon(true);
        reader.start();
        readers.add(reader);
    }

    private static Path location(final Class<?> type) {
        try {
            return Path.of(type.getProtectionDomain().getCodeSource().getLocation().toURI());
        } catch (final URISyntaxException e) {
            throw new IllegalStateException(e);
        }
    }
}
