/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.packaging;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.BufferedReader;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * The command line's jar, alone in a directory, runs with {@code java -jar} and no other flags.
 */
@Timeout(value = 120, unit = TimeUnit.SECONDS)
class CommandLineJarTest {
    private static final long TIMEOUT_S = 30;
    private static final int SIGTERM_STATUS = 128 + 15;

    @TempDir
    private Path directory;

    static List<Jdk> jdks() throws IOException {
        return Jdk.supported();
    }

    @ParameterizedTest
    @MethodSource("jdks")
    void shouldSayItsVersion(final Jdk jdk) throws Exception {
        final Outcome outcome = Outcome.of(directory, TIMEOUT_S, command(jdk, "--version")).succeeded();
        assertEquals("vsock-proxy " + Published.VERSION, outcome.output().strip());
    }

    @ParameterizedTest
    @MethodSource("jdks")
    void shouldServeAndConnectWithoutFlags(final Jdk jdk) throws Exception {
        final String link = "unix:" + directory.resolve("link");
        final Process host = start(command(jdk, "host", "--listen", link));
        try {
            assertReady(host);
            final Process guest = start(command(jdk, "guest", "--connect", link));
            try {
                assertReady(guest);
            } finally {
                stop(guest);
            }
        } finally {
            stop(host);
        }
    }

    @ParameterizedTest
    @MethodSource("jdks")
    void shouldSayInOneLineWhatIsWrongWithTheNativeLibrary(final Jdk jdk) throws Exception {
        for (final String arguments : List.of("host --listen unix:/tmp/x", "info")) {
            final List<String> command = command(jdk, arguments.split(" ", -1));
            command.add(1, "-Dvsockproxy.native.path=/no/library.so");
            final Outcome outcome = Outcome.of(directory, TIMEOUT_S, command)
                .failed()
                .says("vsock-proxy: cannot load the native library: vsockproxy.native.path=/no/library.so")
                .says("correct the property, or remove it");
            assertEquals(1, outcome.exitCode());
            assertFalse(outcome.output().contains("\tat "), outcome::output);
        }
    }

    private static List<String> command(final Jdk jdk, final String... arguments) {
        final List<String> command = new ArrayList<>(
            List.of(jdk.java(), "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"));
        if (jdk.restrictsNativeAccess()) {
            command.add("--illegal-native-access=deny");
        }
        command.addAll(List.of("-jar", Published.jar("cli").toString()));
        command.addAll(List.of(arguments));
        return command;
    }

    private Process start(final List<String> command) throws IOException {
        return new ProcessBuilder(command).directory(directory.toFile()).redirectErrorStream(true).start();
    }

    private static void assertReady(final Process process) throws IOException {
        final BufferedReader output = process.inputReader();
        final StringBuilder seen = new StringBuilder();
        String line = output.readLine();
        while (line != null && !line.startsWith("ready: ")) {
            seen.append(line).append('\n');
            line = output.readLine();
        }
        assertTrue(line != null, () -> "ended before it was ready: " + seen);
    }

    private static void stop(final Process process) throws InterruptedException {
        process.destroy();
        final boolean ended = process.waitFor(TIMEOUT_S, TimeUnit.SECONDS);
        process.destroyForcibly().waitFor();
        assertTrue(ended, "did not end");
        assertTrue(List.of(0, SIGTERM_STATUS).contains(process.exitValue()), () -> "status " + process.exitValue());
    }
}
