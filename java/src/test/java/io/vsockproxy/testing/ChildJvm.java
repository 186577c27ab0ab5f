/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.testing;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/**
 * A test class with a main method in a process of its own, which reads commands from its standard input and answers on
 * its standard output, one per line. It ends at the end of its input.
 */
public final class ChildJvm implements AutoCloseable {
    private final Process process;
    private final BufferedReader answers;
    private final PrintStream commands;

    private ChildJvm(final Process process) {
        this.process = process;
        answers = new BufferedReader(new InputStreamReader(process.getInputStream(), StandardCharsets.US_ASCII));
        commands = new PrintStream(process.getOutputStream(), true, StandardCharsets.US_ASCII);
    }

    /** Starts one that runs {@code main}. */
    public static ChildJvm start(final Class<?> main, final String... arguments) {
        return start(List.of(), main, arguments);
    }

    /** Starts one that runs {@code main}, behind a command that execs it, like a shell that sets limits. */
    public static ChildJvm start(final List<String> prefix, final Class<?> main, final String... arguments) {
        final List<String> command = new ArrayList<>(prefix);
        command.addAll(List.of(
            Path.of(System.getProperty("java.home"), "bin", "java").toString(),
            "--add-exports", "java.base/jdk.internal.misc=ALL-UNNAMED", "--enable-native-access=ALL-UNNAMED",
            "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
            "-Dvsockproxy.native.path=" + System.getProperty("vsockproxy.native.path"),
            "-cp", System.getProperty("java.class.path"), main.getName()));
        command.addAll(List.of(arguments));
        try {
            return new ChildJvm(new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT).start());
        } catch (final IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** The process id. */
    public long pid() {
        return process.pid();
    }

    /** Writes a line to it. */
    public void tell(final String command) {
        commands.println(command);
    }

    /** The next line of what it says; the test's own timeout bounds the wait. */
    public String answer() {
        try {
            final String line = answers.readLine();
            if (line == null) {
                throw new AssertionError("process " + pid() + " has ended");
            }
            return line;
        } catch (final IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Ends it as SIGKILL does. */
    public void kill() {
        process.destroyForcibly();
        awaitExit();
    }

    /** Ends its input, and waits for its own end. */
    @Override
    public void close() {
        commands.close();
        awaitExit();
        try {
            answers.close();
        } catch (final IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private void awaitExit() {
        try {
            if (!process.waitFor(Await.TIMEOUT_MS, TimeUnit.MILLISECONDS)) {
                throw new AssertionError("process " + pid() + " hangs");
            }
        } catch (final InterruptedException e) {
            throw new AssertionError(e);
        }
    }
}
