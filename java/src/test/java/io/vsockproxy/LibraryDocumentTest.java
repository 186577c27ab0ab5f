/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.vsockproxy.testing.MountedPair;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.tools.ToolProvider;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * The code in docs/library.md, compiled and run as a reader would use it.
 */
@Timeout(value = 120, unit = TimeUnit.SECONDS)
class LibraryDocumentTest {
    private static final Path DOCUMENT = Path.of("..", "docs", "library.md");
    private static final Pattern PROGRAM = Pattern.compile("```java\n(.*?)```", Pattern.DOTALL);

    @Test
    void shouldCompileAndRunAsShown() throws IOException, InterruptedException {
        final Path directory = Files.createTempDirectory("vp");
        final Path source = directory.resolve("Capitals.java");
        Files.writeString(source, program());
        final String classPath = System.getProperty("java.class.path");
        final ByteArrayOutputStream messages = new ByteArrayOutputStream();
        final int status = ToolProvider.getSystemJavaCompiler().run(
            null, messages, messages, "-proc:none", "-cp", classPath, "-d", directory.toString(), source.toString());
        assertEquals(0, status, messages.toString(StandardCharsets.UTF_8));
        final Process process = new ProcessBuilder(
            Path.of(System.getProperty("java.home"), "bin", "java").toString(),
            "--add-exports", "java.base/jdk.internal.misc=ALL-UNNAMED", "--enable-native-access=ALL-UNNAMED",
            "-Dvsockproxy.native.path=" + System.getProperty("vsockproxy.native.path"),
            "-cp", directory + ":" + classPath, "Capitals", directory.resolve("link").toString())
            .redirectError(ProcessBuilder.Redirect.INHERIT)
            .start();
        try (InputStream output = process.getInputStream()) {
            assertEquals("HELLO\n", new String(output.readAllBytes(), StandardCharsets.UTF_8));
            assertTrue(process.waitFor(60, TimeUnit.SECONDS), "it does not end");
            assertEquals(0, process.exitValue());
        } finally {
            process.destroyForcibly();
            MountedPair.delete(directory);
        }
    }

    private static String program() throws IOException {
        final Matcher matcher = PROGRAM.matcher(Files.readString(DOCUMENT));
        assertTrue(matcher.find(), "no Java in " + DOCUMENT);
        return matcher.group(1);
    }
}
