/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.testing;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.sun.jna.Native;
import io.vsockproxy.cli.Main;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.net.URISyntaxException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.agrona.DirectBuffer;
import picocli.CommandLine;

/**
 * A separate systemd for a test, in namespaces of its own, with the units of docs/systemd and what the test adds to
 * them.
 *
 * <p>Its root directory is the machine's, but its /run, /opt and /etc are not visible outside: {@link #path}.
 */
public final class ServiceNamespace implements AutoCloseable {
    private static final Path UNITS = Path.of("..", "docs", "systemd");
    private static final List<String> NEEDED =
        List.of("/lib/systemd/systemd", "/usr/bin/unshare", "/usr/bin/nsenter", "/usr/bin/systemd-sysusers");

    private final Path directory;
    private final Path units;
    private final Path program;
    private Process process;
    private long pid;

    /**
     * @param directory empty, for what it writes.
     */
    public ServiceNamespace(final Path directory) throws IOException {
        this.directory = directory;
        units = Files.createDirectory(directory.resolve("units"));
        program = Files.createDirectory(directory.resolve("program"));
        copy(UNITS, units);
        for (final String target : List.of("sysinit", "basic", "shutdown", "sockets", "multi-user")) {
            add(target + ".target", "[Unit]", "DefaultDependencies=no");
        }
        final Path classes = Files.createDirectory(program.resolve("classes"));
        copy(location(Main.class), classes);
        for (final Class<?> library : List.of(DirectBuffer.class, CommandLine.class, Native.class)) {
            Files.copy(location(library), program.resolve(location(library).getFileName()));
        }
        Files.copy(Path.of(System.getProperty("vsockproxy.native.path")), program.resolve("libvsockproxy.so"));
    }

    /** Skips the test where this cannot be, and says so. */
    public static void assumePossible() throws IOException {
        for (final String file : NEEDED) {
            assumeTrue(Files.isExecutable(Path.of(file)), () -> "skipped: there is no " + file);
        }
        assumeTrue(
            Integer.valueOf(0).equals(Files.getAttribute(Path.of("/proc/self"), "unix:uid")),
            "skipped: namespaces take root");
        assumeTrue(run(List.of("unshare", "--pid", "--mount", "--cgroup", "--fork", "sh", "-c",
            "mount --make-rprivate / && umount -l /sys/fs/cgroup && mount -t cgroup2 cgroup2 /sys/fs/cgroup"
                + " && mount -t tmpfs tmpfs /run")).isEmpty(),
            "skipped: mounting in a namespace of one's own is not allowed here");
    }

    /** Adds a unit, or a drop-in: its path below the directory of units, and its lines. */
    public ServiceNamespace add(final String path, final String... lines) throws IOException {
        final Path file = units.resolve(path);
        Files.createDirectories(file.getParent());
        Files.write(file, List.of(lines));
        return this;
    }

    /** The command that starts a proxy in there, with these arguments. */
    public static String command(final String arguments) {
        return String.join(" ",
            Path.of(System.getProperty("java.home"), "bin", "java").toString(),
            "-XX:+UseSerialGC -Xmx256m -XX:TieredStopAtLevel=1 -XX:-UsePerfData",
            "--add-exports java.base/jdk.internal.misc=ALL-UNNAMED --enable-native-access=ALL-UNNAMED",
            "-Dvsockproxy.native.path=/opt/vsock-proxy/libvsockproxy.so",
            "-cp /opt/vsock-proxy/classes:/opt/vsock-proxy/*",
            Main.class.getName(), arguments);
    }

    /** Starts it, with a unit to begin with. */
    public ServiceNamespace start(final String unit) throws IOException {
        final Path script = directory.resolve("service-manager.sh");
        try (InputStream in = ServiceNamespace.class.getResourceAsStream("service-manager.sh")) {
            Files.copy(in, script);
        }
        makeReadable(program);
        process = new ProcessBuilder(
            "unshare", "--pid", "--mount", "--cgroup", "--ipc", "--uts", "--fork", "--kill-child",
            "sh", script.toString(), units.toString(), program.toString(), unit)
            .redirectErrorStream(true).redirectOutput(directory.resolve("log").toFile()).start();
        Await.until(() -> process.children().findFirst().isPresent() || !process.isAlive(), this::toString);
        pid = process.children().findFirst().orElseThrow(() -> new AssertionError(toString())).pid();
        Await.until(() -> Files.exists(path("/run/systemd/private")) || !process.isAlive(), this::toString);
        return this;
    }

    /** Where the test finds what is at {@code path} in there. */
    public Path path(final String path) {
        return Path.of("/proc/" + pid + "/root" + path);
    }

    /** Runs systemctl in there: what it says, line by line; nothing is as good as it gets. */
    public List<String> systemctl(final String... arguments) {
        final List<String> command = new ArrayList<>(List.of(
            "nsenter", "--target", Long.toString(pid), "--pid", "--mount", "--cgroup", "systemctl"));
        command.addAll(List.of(arguments));
        return run(command);
    }

    /** A property of a unit. */
    public String property(final String unit, final String name) {
        return String.join("\n", systemctl("show", "--value", "--property", name, unit));
    }

    /** A line of /proc/PID/status of a unit's main process. */
    public String status(final String unit, final String name) throws IOException {
        return Files.readAllLines(path("/proc/" + property(unit, "MainPID") + "/status")).stream()
            .filter(line -> line.startsWith(name + ":"))
            .map(line -> line.substring(name.length() + 1).strip())
            .findFirst().orElseThrow(() -> new AssertionError(name + " of " + unit + ": " + this));
    }

    @Override
    public void close() {
        if (process != null) {
            process.destroyForcibly();
            Await.until(() -> !process.isAlive(), this::toString);
        }
    }

    @Override
    public String toString() {
        try {
            return Files.readString(directory.resolve("log"));
        } catch (final IOException e) {
            return e.toString();
        }
    }

    private static List<String> run(final List<String> command) {
        try {
            final Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
            process.getOutputStream().close();
            final List<String> lines = new String(process.getInputStream().readAllBytes(),
                StandardCharsets.UTF_8).lines().toList();
            if (!process.waitFor(Await.TIMEOUT_MS, TimeUnit.MILLISECONDS)) {
                process.destroyForcibly();
                throw new AssertionError(command + " does not end");
            }
            return lines;
        } catch (final IOException e) {
            throw new UncheckedIOException(e);
        } catch (final InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException(e);
        }
    }

    private static Path location(final Class<?> type) {
        try {
            return Path.of(type.getProtectionDomain().getCodeSource().getLocation().toURI());
        } catch (final URISyntaxException e) {
            throw new IllegalStateException(e);
        }
    }

    private static void copy(final Path from, final Path to) throws IOException {
        try (Stream<Path> files = Files.walk(from)) {
            for (final Path file : (Iterable<Path>) files::iterator) {
                final Path target = to.resolve(from.relativize(file).toString());
                if (Files.isDirectory(file)) {
                    Files.createDirectories(target);
                } else {
                    Files.copy(file, target);
                }
            }
        }
    }

    private static void makeReadable(final Path root) throws IOException {
        try (Stream<Path> files = Files.walk(root)) {
            for (final Path file : (Iterable<Path>) files::iterator) {
                Files.setPosixFilePermissions(
                    file, PosixFilePermissions.fromString(Files.isDirectory(file) ? "rwxr-xr-x" : "rw-r--r--"));
            }
        }
    }
}
