/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.counters;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.vsockproxy.posix.Descriptors;
import io.vsockproxy.testing.Await;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What becomes of the file of counters when others are at it. */
class CounterFileTest {
    @TempDir
    Path directory;

    /** Compiled code is told of the fault later than interpreted code. */
    @ParameterizedTest
    @ValueSource(ints = {1, 1_000, 100_000})
    void shouldReportThatTheFileWasTruncatedHoweverOftenItWasWritten(final int times) throws IOException {
        final Path path = directory.resolve("counters");
        final CounterValues values = new CounterValues();
        try (CounterFile file = new CounterFile(path)) {
            for (int i = 0; i < times; i++) {
                assertTrue(file.show(values));
            }
            Files.write(path, new byte[0]);
            assertFalse(file.show(values));
            assertFalse(file.show(values));
        }
    }

    @Test
    void shouldNotTakeThePlaceOfADevice() throws IOException {
        final Path path = directory.resolve("counters");
        assertEquals(0, run("mkfifo", path.toString()));
        final UncheckedIOException thrown = assertThrows(UncheckedIOException.class, () -> new CounterFile(path));
        assertTrue(thrown.getMessage().contains("not a regular file"), thrown::getMessage);
        assertFalse(Files.isRegularFile(path));
        try (Stream<Path> left = Files.list(directory)) {
            assertEquals(List.of(path), left.toList());
        }
    }

    @Test
    void shouldNotReplaceAFileThatHoldsSomethingElse() throws IOException {
        final Path path = Files.writeString(directory.resolve("counters"), "precious");
        final UncheckedIOException thrown = assertThrows(UncheckedIOException.class, () -> new CounterFile(path));
        assertEquals(
            "counters cannot be kept in " + path + ": it exists and does not hold counters", thrown.getMessage());
        assertEquals("precious", Files.readString(path));
        try (Stream<Path> left = Files.list(directory)) {
            assertEquals(List.of(path), left.toList());
        }
    }

    @Test
    void shouldNotReplaceALinkToAFile() throws IOException {
        final Path path = directory.resolve("counters");
        final Path target = Files.createFile(directory.resolve("target"));
        Files.createSymbolicLink(path, target);
        assertThrows(UncheckedIOException.class, () -> new CounterFile(path));
        assertTrue(Files.isSymbolicLink(path));
    }

    @Test
    void shouldReplaceAnEmptyFile() throws IOException {
        final Path path = Files.createFile(directory.resolve("counters"));
        new CounterFile(path).close();
        try (CounterFileReader reader = new CounterFileReader(path)) {
            assertEquals(ProcessHandle.current().pid(), reader.pid());
        }
    }

    /** Also when somebody in the process that keeps the file has read it: closing it must not give up the lock. */
    @Test
    void shouldReplaceTheFileOfAnotherProxyOnlyWhenThatHasEnded() throws IOException {
        final Path path = directory.resolve("counters");
        final int descriptorsBefore = Await.stable(Descriptors::count);
        try (CounterFile first = new CounterFile(path)) {
            try (CounterFileReader reader = new CounterFileReader(path)) {
                assertEquals(ProcessHandle.current().pid(), reader.pid());
            }
            final UncheckedIOException thrown =
                assertThrows(UncheckedIOException.class, () -> new CounterFile(path));
            assertEquals(
                "counters cannot be kept in " + path + ": in use by process " + ProcessHandle.current().pid(),
                thrown.getMessage());
            assertTrue(first.show(new CounterValues()));
            try (Stream<Path> left = Files.list(directory)) {
                assertEquals(List.of(path), left.toList());
            }
        }
        new CounterFile(path).close();
        Await.untilEqual(descriptorsBefore, Descriptors::count, "open descriptors");
    }

    @Test
    void shouldSayThatTheDirectoryIsMissing() {
        final Path path = directory.resolve("missing/counters");
        final UncheckedIOException thrown = assertThrows(UncheckedIOException.class, () -> new CounterFile(path));
        assertEquals("counters cannot be kept in " + path + ": no such directory", thrown.getMessage());
    }

    @Test
    void shouldSayThatTheDiskIsFullAndLeaveNothing() throws IOException {
        assumeTrue(run("mount", "-t", "tmpfs", "-o", "size=8k", "tmpfs", directory.toString()) == 0, "may not mount");
        try {
            final Path path = directory.resolve("counters");
            final UncheckedIOException thrown = assertThrows(UncheckedIOException.class, () -> new CounterFile(path));
            assertTrue(thrown.getMessage().contains("No space left"), thrown::getMessage);
            try (Stream<Path> left = Files.list(directory)) {
                assertEquals(List.of(), left.toList());
            }
        } finally {
            assertEquals(0, run("umount", "-l", directory.toString()));
        }
    }

    private static int run(final String... command) throws IOException {
        final Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
        process.getInputStream().readAllBytes();
        try {
            return process.waitFor();
        } catch (final InterruptedException e) {
            throw new AssertionError(e);
        }
    }

    @Test
    void shouldLeaveNothingWhenItCannotTakeItsName() throws IOException {
        final Path path = Files.createDirectory(directory.resolve("counters"));
        assertThrows(UncheckedIOException.class, () -> new CounterFile(path));
        try (Stream<Path> left = Files.list(directory)) {
            assertEquals(List.of(path), left.toList());
        }
        final String mappings = Files.readString(Path.of("/proc/self/maps"));
        assertFalse(mappings.contains(directory.toString()), mappings);
    }
}
