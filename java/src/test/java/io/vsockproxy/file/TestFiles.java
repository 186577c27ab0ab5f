/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.file;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/**
 * Files for tests, and the kernel's view of them: mappings and cached pages.
 */
final class TestFiles {
    /** A tmpfs on any Linux. */
    static final Path MEMORY_DIRECTORY = Path.of("/dev/shm");
    private static final long TIMEOUT_S = 20;

    private TestFiles() {
    }

    static Random random(final String test) {
        final long seed = Long.getLong("vsockproxy.test.seed", System.nanoTime());
        System.out.println(test + ": vsockproxy.test.seed=" + seed);
        return new Random(seed);
    }

    static byte[] randomBytes(final Random random, final int length) {
        final byte[] bytes = new byte[length];
        random.nextBytes(bytes);
        return bytes;
    }

    /** A file of its own on tmpfs; the test deletes it. */
    static Path memoryFile() throws IOException {
        assumeTrue(Files.isWritable(MEMORY_DIRECTORY), "needs a writable " + MEMORY_DIRECTORY);
        return Files.createTempFile(MEMORY_DIRECTORY, "vsockproxy-test", null);
    }

    static void truncate(final Path path, final long length) throws IOException {
        try (FileChannel channel = FileChannel.open(path, StandardOpenOption.WRITE)) {
            channel.truncate(length);
        }
    }

    /** How many mappings of the file this process has. */
    static int mappings(final Path path) {
        try (Stream<String> lines = Files.lines(Path.of("/proc/self/maps"))) {
            return (int) lines.filter(line -> line.endsWith(path.toString())).count();
        } catch (final IOException e) {
            throw new AssertionError(e);
        }
    }

    /** Has the kernel drop the file's pages; needs python3. */
    static void evict(final Path path) throws IOException, InterruptedException {
        final Process process = python(
            """
            import os, sys
            fd = os.open(sys.argv[1], os.O_RDWR)
            os.fsync(fd)
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
            """,
            path.toString());
        assertTrue(process.waitFor(TIMEOUT_S, TimeUnit.SECONDS));
        assertEquals(0, process.exitValue());
    }

    static Process python(final String program, final String... arguments) throws IOException {
        final String[] command = new String[3 + arguments.length];
        command[0] = "python3";
        command[1] = "-c";
        command[2] = program;
        System.arraycopy(arguments, 0, command, 3, arguments.length);
        try {
            return new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT).start();
        } catch (final IOException e) {
            assumeTrue(false, "needs python3: " + e.getMessage());
            throw e;
        }
    }
}
