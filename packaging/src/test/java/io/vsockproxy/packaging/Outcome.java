/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.packaging;

import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;

/**
 * The result of a command that has ended.
 *
 * @param exitCode its exit status.
 * @param output   its standard output and standard error together.
 */
record Outcome(int exitCode, String output) {
    /**
     * Runs a command.
     *
     * @param timeoutS how long it may take; after that it is killed, and the test fails.
     */
    static Outcome of(final Path directory, final long timeoutS, final List<String> command)
        throws IOException, InterruptedException {
        final File output = Files.createTempFile(directory, "output", null).toFile();
        final Process process = new ProcessBuilder(command)
            .directory(directory.toFile()).redirectErrorStream(true).redirectOutput(output).start();
        try {
            assertTrue(
                process.waitFor(timeoutS, TimeUnit.SECONDS),
                () -> command + " did not end: " + output);
            return new Outcome(process.exitValue(), Files.readString(output.toPath()));
        } finally {
            process.destroyForcibly();
            process.waitFor();
            Files.delete(output.toPath());
        }
    }

    /** The command must have ended well. */
    Outcome succeeded() {
        assertTrue(exitCode == 0, () -> "exit status " + exitCode + ": " + output);
        return this;
    }

    /** The command must have failed. */
    Outcome failed() {
        assertTrue(exitCode != 0, () -> "did not fail: " + output);
        return this;
    }

    /** The output must have {@code part} in it. */
    Outcome says(final String part) {
        assertTrue(output.contains(part), () -> "\"" + part + "\" is not in: " + output);
        return this;
    }

    /** The output must not have {@code part} in it. */
    Outcome doesNotSay(final String part) {
        assertTrue(!output.contains(part), () -> "\"" + part + "\" is in: " + output);
        return this;
    }
}
