/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.cli;

import io.vsockproxy.counters.CounterFileReader;
import io.vsockproxy.counters.CounterFileReader.Value;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.TimeUnit;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/**
 * {@code vsock-proxy stat}: shows the counters that another process keeps in its file.
 */
@Command(
    name = "stat",
    description = "Shows the counters of a proxy that was started with --counters FILE.",
    mixinStandardHelpOptions = true,
    versionProvider = Version.class)
final class StatCommand implements Callable<Integer> {
    private static final int FAILED = 1;
    /** Erases the terminal and starts at its top (ECMA-48: ED, CUP). */
    private static final String CLEAR = "\033[2J\033[H";

    /** What was shown last, and of which process. */
    private record Shown(long pid, Map<String, Value> values) { }

    @Spec
    private CommandSpec spec;

    @Parameters(paramLabel = "FILE", description = "The proxy's --counters FILE.")
    private Path file;

    @Option(
        names = "--interval",
        paramLabel = "TIME",
        converter = LimitOptions.Time.class,
        description = "How often to show the counters, with the increase per second. 0: once. Default: 1s.")
    private long intervalNs = TimeUnit.SECONDS.toNanos(1);

    @Override
    public Integer call() throws InterruptedException {
        final PrintWriter out = spec.commandLine().getOut();
        final String separator = isTerminal() ? CLEAR : System.lineSeparator();
        try {
            Shown before = show(out, new Shown(0, Map.of()));
            while (intervalNs > 0 && !out.checkError()) {
                TimeUnit.NANOSECONDS.sleep(intervalNs);
                out.print(separator);
                before = show(out, before);
            }
            return 0;
        } catch (final IOException e) {
            spec.commandLine().getErr().println(
                spec.qualifiedName() + ": " + file + ": " + UsageErrors.reason(e));
            return FAILED;
        }
    }

    /** Whether standard output is a terminal. System.console() does not tell: from JDK 22 on it is never null. */
    private static boolean isTerminal() {
        try {
            final String output = Files.readSymbolicLink(Path.of("/proc/self/fd/1")).toString();
            return output.startsWith("/dev/pts/") || output.startsWith("/dev/tty");
        } catch (final IOException e) {
            return false;
        }
    }

    /** Shows all counters. The file is opened anew each time, because a restarted proxy creates another one. */
    private Shown show(final PrintWriter out, final Shown before) throws IOException {
        try (CounterFileReader reader = new CounterFileReader(file)) {
            final Map<String, Value> values = reader.values();
            final long pid = reader.pid();
            // The file outlives its proxy, however that ended.
            out.println("process " + pid + (ProcessHandle.of(pid).isPresent() ? "" : ", which is no longer running"));
            values.forEach((label, value) -> {
                final Value earlier = before.pid == pid ? before.values.get(label) : null;
                final String rate = earlier == null || value.gauge() ? ""
                    : String.format(
                        "%15.1f/s", (value.value() - earlier.value()) * 1e9 / intervalNs);
                out.println(String.format("%-48s %18d%s", label, value.value(), rate));
            });
            out.flush();
            return new Shown(pid, values);
        }
    }
}
