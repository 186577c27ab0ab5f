/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.posix;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * A class that failed to initialise stays so: each way to load, and to fail, has a JVM of its own.
 */
@Timeout(value = 60, unit = TimeUnit.SECONDS)
class NativeLibraryTest {
    private static final long JVM_TIMEOUT_S = 30;
    private static final String CLASSIFIER =
        NativeLibrary.classifier(System.getProperty("os.name"), System.getProperty("os.arch"));

    @TempDir
    Path directory;
    private Path library;
    private Path temporary;

    @BeforeEach
    void unpack() throws IOException {
        final Path platform = directory.resolve("jar/META-INF/native").resolve(CLASSIFIER);
        Files.createDirectories(platform);
        library = platform.resolve("libvsockproxy.so");
        temporary = Files.createDirectory(directory.resolve("temporary"));
        final String path = System.getProperty(NativeLibrary.PATH_PROPERTY);
        if (path != null) {
            Files.copy(Path.of(path), library);
        } else {
            final String resource = "/META-INF/native/" + CLASSIFIER + "/libvsockproxy.so";
            try (InputStream in = NativeLibrary.class.getResourceAsStream(resource)) {
                Files.copy(in, library);
            }
        }
    }

    @Test
    void shouldLoadFromThePathInTheProperty() throws Exception {
        assertEquals("loaded", load("-Dvsockproxy.native.path=" + library));
    }

    @Test
    void shouldUnpackFromTheClassPathAndLeaveNothingBehind() throws Exception {
        assertEquals("loaded", load("-Dvsockproxy.native.tmpdir=" + temporary));
        assertEmptyTemporary();
    }

    @Test
    void shouldUnpackBelowTheJvmsTemporaryDirectoryByDefault() throws Exception {
        assertEquals("loaded", load("-Djava.io.tmpdir=" + temporary));
        assertEmptyTemporary();
    }

    @Test
    void shouldNotFallBackWhenThePropertyIsWrong() throws Exception {
        final String message = load("-Dvsockproxy.native.path=/nonexistent/lib.so");
        assertContains(message, "java.lang.UnsatisfiedLinkError: ");
        assertContains(message, "vsockproxy.native.path=/nonexistent/lib.so");
        assertContains(message, "correct the property");
    }

    @Test
    void shouldRefuseARelativePath() throws Exception {
        final String message = load("-Dvsockproxy.native.path=lib.so");
        assertContains(message, "vsockproxy.native.path=lib.so");
        assertContains(message, "absolute");
    }

    @Test
    void shouldNameTheArtifactWhenThePlatformIsMissing() throws Exception {
        Files.delete(library);
        final String message = load("-Dvsockproxy.native.tmpdir=" + temporary);
        assertContains(message, "java.lang.UnsatisfiedLinkError: ");
        assertContains(message, "io.vsockproxy:vsock-proxy with classifier " + CLASSIFIER);
        assertContains(message, "META-INF/native/" + CLASSIFIER + "/libvsockproxy.so");
    }

    @Test
    void shouldNameTheTemporaryDirectoryWhenItCannotUnpack() throws Exception {
        final String message = load("-Dvsockproxy.native.tmpdir=" + directory.resolve("none"));
        assertContains(message, "java.lang.UnsatisfiedLinkError: ");
        assertContains(message, "below " + directory.resolve("none"));
        assertContains(message, "set -Dvsockproxy.native.tmpdir");
    }

    /** What a noexec mount looks like from here: a file that cannot be mapped for execution. */
    @Test
    void shouldCleanUpWhenTheUnpackedFileCannotBeLoaded() throws Exception {
        Files.write(library, "no library".getBytes(StandardCharsets.US_ASCII));
        final String message = load("-Dvsockproxy.native.tmpdir=" + temporary);
        assertContains(message, "java.lang.UnsatisfiedLinkError: ");
        assertContains(message, "from " + temporary);
        assertContains(message, "noexec");
        assertEmptyTemporary();
    }

    @Test
    void shouldNameBothVersionsWhenTheyDiffer() {
        NativeLibrary.checkLayout(NativeLibrary.ABI_VERSION, IoVec.LENGTH);
        final UnsatisfiedLinkError version = assertThrows(
            UnsatisfiedLinkError.class, () -> NativeLibrary.checkLayout(99, IoVec.LENGTH));
        assertContains(version.getMessage(), "library's abi=99, this jar's abi=" + NativeLibrary.ABI_VERSION);
        final UnsatisfiedLinkError layout = assertThrows(
            UnsatisfiedLinkError.class, () -> NativeLibrary.checkLayout(NativeLibrary.ABI_VERSION, 8));
        assertContains(layout.getMessage(), "library's size=8, this jar's size=16");
    }

    @Test
    void shouldNameThePlatformAsTheJarsAreNamed() {
        assertEquals("linux-x86_64", NativeLibrary.classifier("Linux", "amd64"));
        assertEquals("linux-x86_64", NativeLibrary.classifier("Linux", "x86_64"));
        assertEquals("linux-aarch_64", NativeLibrary.classifier("Linux", "aarch64"));
        final UnsatisfiedLinkError error = assertThrows(
            UnsatisfiedLinkError.class, () -> NativeLibrary.classifier("Linux", "riscv64"));
        assertContains(error.getMessage(), "os.arch=riscv64");
        assertThrows(UnsatisfiedLinkError.class, () -> NativeLibrary.classifier("Mac OS X", "aarch64"));
    }

    /** The last line that a JVM printed, which loaded the library with {@code option}. */
    private String load(final String option) throws IOException, InterruptedException {
        final File output = directory.resolve("output").toFile();
        final List<String> command = new ArrayList<>(List.of(
            Path.of(System.getProperty("java.home"), "bin", "java").toString(),
            "-XX:+UseSerialGC", "-Xcheck:jni", "--add-exports", "java.base/jdk.internal.misc=ALL-UNNAMED"));
        if (Runtime.version().feature() >= 24) {
            command.add("--enable-native-access=ALL-UNNAMED");
        }
        command.addAll(List.of(
            option, "-cp", directory.resolve("jar") + File.pathSeparator + System.getProperty("java.class.path"),
            Loader.class.getName()));
        final Process process = new ProcessBuilder(command).redirectErrorStream(true).redirectOutput(output).start();
        try {
            assertTrue(process.waitFor(JVM_TIMEOUT_S, TimeUnit.SECONDS), "the JVM did not end");
        } finally {
            process.destroyForcibly();
        }
        final List<String> lines = Files.readAllLines(output.toPath());
        assertFalse(lines.isEmpty(), "the JVM said nothing");
        return lines.get(lines.size() - 1);
    }

    private void assertEmptyTemporary() throws IOException {
        try (Stream<Path> left = Files.list(temporary)) {
            assertEquals(
                List.of(), left.filter(path -> !path.getFileName().toString().startsWith("hsperfdata")).toList());
        }
    }

    private static void assertContains(final String text, final String part) {
        assertTrue(text.contains(part), () -> "\"" + part + "\" is not in: " + text);
    }

    /** Uses the library, as its first caller. */
    static final class Loader {
        private Loader() {
        }

        public static void main(final String[] args) {
            try {
                NativeLibrary.ensureLoaded();
                NativeLibrary.ensureLoaded();
                final int fd = Syscalls.eventfd(0, Constants.EFD_CLOEXEC);
                System.out.println(Syscalls.close(fd) == 0 ? "loaded" : "no eventfd");
            } catch (final UnsatisfiedLinkError e) {
                System.out.println(e);
            }
        }
    }
}
