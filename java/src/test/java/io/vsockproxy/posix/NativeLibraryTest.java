/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.posix;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.File;
import java.io.IOException;
import java.lang.reflect.Method;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * Loading the shim. A class that failed to initialise stays that way, so each way to load, and to fail, has a JVM of
 * its own.
 */
@Timeout(value = 60, unit = TimeUnit.SECONDS)
class NativeLibraryTest {
    private static final long JVM_TIMEOUT_S = 30;
    private static final int E_MACHINE_OFFSET = 18;
    private static final byte EM_RISCV = (byte) 243;
    private static final List<String> EXPORTS = List.of("--add-exports", "java.base/jdk.internal.misc=ALL-UNNAMED");
    private static final List<String> NATIVE_ACCESS = List.of("--enable-native-access=ALL-UNNAMED");
    private static final List<String> ALL_FLAGS = Stream.of(EXPORTS, NATIVE_ACCESS).flatMap(List::stream).toList();
    private static final String CLASSIFIER =
        NativeLibrary.classifier(System.getProperty("os.name"), System.getProperty("os.arch"));

    @TempDir
    Path directory;
    private Path library;
    private Path properties;
    private Path temporary;

    @BeforeEach
    void unpack() throws Exception {
        final Path platform = directory.resolve("jar/META-INF/native").resolve(CLASSIFIER);
        Files.createDirectories(platform);
        library = platform.resolve("libvsockproxy.so");
        properties = platform.resolve("libvsockproxy.properties");
        temporary = Files.createDirectory(directory.resolve("temporary"));
        replaceLibrary(Files.readAllBytes(Path.of(System.getProperty(NativeLibrary.PATH_PROPERTY))));
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
        replaceLibrary("no library".getBytes(StandardCharsets.US_ASCII));
        final String message = load("-Dvsockproxy.native.tmpdir=" + temporary);
        assertContains(message, "java.lang.UnsatisfiedLinkError: ");
        assertContains(message, "from " + temporary);
        assertContains(message, "it is not an ELF file");
        assertContains(message, "noexec");
        assertEmptyTemporary();
    }

    @Test
    void shouldNotLoadALibraryThatItsPropertiesDoNotDescribe() throws Exception {
        Files.write(library, new byte[] {0}, StandardOpenOption.APPEND);
        final String message = load("-Dvsockproxy.native.tmpdir=" + temporary);
        assertContains(message, "java.lang.UnsatisfiedLinkError: META-INF/native/" + CLASSIFIER + "/libvsockproxy.so");
        assertContains(message, "expected sha256=");
        assertContains(message, ", actual=");
        assertContains(message, "download io.vsockproxy:vsock-proxy with classifier " + CLASSIFIER + " again");
        assertEmptyTemporary();
    }

    @Test
    void shouldNotLoadALibraryWithoutProperties() throws Exception {
        Files.delete(properties);
        final String message = load("-Dvsockproxy.native.tmpdir=" + temporary);
        assertContains(message, "META-INF/native/" + CLASSIFIER + "/libvsockproxy.properties is not");
        assertEmptyTemporary();
    }

    @Test
    void shouldNameBothArchitecturesWhenTheyDiffer() throws Exception {
        final byte[] bytes = Files.readAllBytes(library);
        bytes[E_MACHINE_OFFSET] = EM_RISCV;
        bytes[E_MACHINE_OFFSET + 1] = 0;
        replaceLibrary(bytes);
        final String expected = "it was built for ELF machine 243, and this JVM is for ";
        assertContains(load("-Dvsockproxy.native.tmpdir=" + temporary), expected);
        assertContains(load("-Dvsockproxy.native.path=" + library), expected);
    }

    @Test
    void shouldNameTheRemedyWhenTwoClassLoadersShareOneFile() throws Exception {
        final String message = loadTwice("-Dvsockproxy.native.path=" + library);
        assertContains(message, "another class loader of this JVM has loaded this very file");
        assertContains(message, "remove vsockproxy.native.path");
    }

    @Test
    void shouldLoadInTwoClassLoadersFromTheClassPath() throws Exception {
        assertEquals("loaded", loadTwice("-Dvsockproxy.native.tmpdir=" + temporary));
        assertEmptyTemporary();
    }

    @Test
    void shouldNameTheFlagThatAgronaLacks() throws Exception {
        assertContains(
            run(NATIVE_ACCESS, List.of("-Dvsockproxy.native.path=" + library), Loader.class.getName()),
            "java.lang.IllegalAccessError: Agrona's buffers need java.base/jdk.internal.misc: start the JVM with "
            + "--add-exports java.base/jdk.internal.misc=ALL-UNNAMED ");
    }

    @Test
    void shouldNameTheFlagThatNativeAccessNeeds() throws Exception {
        assumeTrue(Runtime.version().feature() >= 24, "native access is not restricted before JDK 24");
        final List<String> options = List.of(
            "--illegal-native-access=deny", "-Dvsockproxy.native.tmpdir=" + temporary);
        assertContains(
            run(EXPORTS, options, Loader.class.getName()), "start it with --enable-native-access=ALL-UNNAMED ");
        assertEmptyTemporary();
    }

    @Test
    void shouldNameTheModulesInFlagsForTheModulePath() {
        assertEquals("--add-exports java.base/jdk.internal.misc=org.agrona", JvmFlags.addExports("org.agrona"));
        assertEquals(
            "--enable-native-access=io.vsockproxy,com.sun.jna", JvmFlags.enableNativeAccess("io.vsockproxy"));
    }

    @Test
    void shouldNameTheRemedyOnMusl() {
        assertContains(LoadFailures.musl(), "-Dvsockproxy.native.path");
    }

    @Test
    void shouldNameBothVersionsWhenTheyDiffer() {
        NativeLibrary.checkLayout(NativeLibrary.ABI_VERSION, IoVec.LENGTH, null);
        final UnsatisfiedLinkError version = assertThrows(
            UnsatisfiedLinkError.class, () -> NativeLibrary.checkLayout(99, IoVec.LENGTH, "0.9"));
        assertContains(version.getMessage(), "library's abi=99, this jar's abi=" + NativeLibrary.ABI_VERSION);
        assertContains(version.getMessage(), "(library's version=0.9)");
        final UnsatisfiedLinkError layout = assertThrows(
            UnsatisfiedLinkError.class, () -> NativeLibrary.checkLayout(NativeLibrary.ABI_VERSION, 8, null));
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

    private void replaceLibrary(final byte[] bytes) throws Exception {
        Files.write(library, bytes);
        final byte[] digest = MessageDigest.getInstance("SHA-256").digest(bytes);
        Files.writeString(properties, "version=1\nsha256=" + HexFormat.of().formatHex(digest) + "\n");
    }

    /** The last line that a JVM printed, which loaded the library with {@code option}. */
    private String load(final String option) throws IOException, InterruptedException {
        return run(ALL_FLAGS, List.of(option), Loader.class.getName());
    }

    /** The same for two class loaders, one after the other. */
    private String loadTwice(final String option) throws IOException, InterruptedException {
        return run(ALL_FLAGS, List.of(option), TwoLoaders.class.getName());
    }

    private String run(final List<String> flags, final List<String> options, final String mainClass)
        throws IOException, InterruptedException {
        final File output = directory.resolve("output").toFile();
        final List<String> command = new ArrayList<>(List.of(
            Path.of(System.getProperty("java.home"), "bin", "java").toString(), "-XX:+UseSerialGC", "-Xcheck:jni"));
        command.addAll(flags);
        command.addAll(options);
        command.addAll(List.of(
            "-cp", directory.resolve("jar") + File.pathSeparator + System.getProperty("java.class.path"), mainClass));
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
                final int fd = Syscalls.eventfd(0, Constants.EFD_CLOEXEC);
                System.out.println(Syscalls.close(fd) == 0 ? "loaded" : "no eventfd");
            } catch (final LinkageError e) {
                System.out.println(e);
            }
        }
    }

    /** Uses the library in two class loaders that share no class of this project. */
    static final class TwoLoaders {
        private TwoLoaders() {
        }

        public static void main(final String[] args) throws Exception {
            final String[] entries = System.getProperty("java.class.path").split(File.pathSeparator, -1);
            final URL[] urls = new URL[entries.length];
            for (int i = 0; i < entries.length; i++) {
                urls[i] = Path.of(entries[i]).toUri().toURL();
            }
            final ClassLoader platform = ClassLoader.getPlatformClassLoader();
            try (URLClassLoader first = new URLClassLoader(urls, platform);
                URLClassLoader second = new URLClassLoader(urls, platform)) {
                for (final ClassLoader loader : List.of(first, second)) {
                    final Method main = loader.loadClass(Loader.class.getName()).getMethod("main", String[].class);
                    main.setAccessible(true);
                    main.invoke(null, (Object) args);
                }
            }
        }
    }
}
