/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.it;

import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.vsockproxy.Role;
import io.vsockproxy.testing.Background;
import io.vsockproxy.testing.Endpoint;
import io.vsockproxy.testing.MountedPair;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * A received file behaves like a local one: a program does the same to both, with every call and with ordinary
 * commands, and reports differences. Differences that docs/behaviour.md describes are left out.
 */
@Timeout(value = 120, unit = TimeUnit.SECONDS, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class FileLikenessTest {
    private static final String PROGRAM = "file_likeness.py";
    private static final int TIMEOUT_SECONDS = 100;

    @RegisterExtension
    static final MountedPair PROXIES = new MountedPair();

    @ParameterizedTest
    @EnumSource
    void shouldDoAsAFileDoes(final Role receiver) throws Exception {
        final Path directory = Files.createTempDirectory(PROXIES.directory(), "likeness");
        final Path program = directory.resolve(PROGRAM);
        try (InputStream in = FileLikenessTest.class.getResourceAsStream(PROGRAM)) {
            Files.copy(in, program);
        }
        final Process process = start(program, PROXIES.forward(receiver), directory);
        try (Endpoint owner = PROXIES.accept(receiver)) {
            final CompletableFuture<Void> serving = Background.start(() -> {
                serve(owner);
                return null;
            });
            final CompletableFuture<byte[]> output = Background.start(() -> process.getInputStream().readAllBytes());
            assertTrue(process.waitFor(TIMEOUT_SECONDS, TimeUnit.SECONDS), "the program goes on and on");
            final String seen = new String(Background.join(output), StandardCharsets.UTF_8);
            assertTrue(seen.matches("compared [1-9][0-9]+\n"), seen);
            Background.join(serving);
        } finally {
            process.destroyForcibly().waitFor();
        }
    }

    /** Opens what the program names, and passes it. */
    private static void serve(final Endpoint owner) {
        String request = owner.receive().text();
        while (!request.isEmpty()) {
            final int space = request.indexOf(' ');
            try (Endpoint file = Endpoint.open(
                Path.of(request.substring(space + 1)), Integer.parseInt(request.substring(0, space)))) {
                owner.send("f", file);
            }
            request = owner.receive().text();
        }
    }

    private static Process start(final Path program, final Path socket, final Path directory) {
        try {
            return new ProcessBuilder("python3", program.toString(), socket.toString(), directory.toString())
                .redirectErrorStream(true).start();
        } catch (final IOException e) {
            assumeTrue(false, "skipped: needs python3: " + e.getMessage());
            throw new AssertionError(e);
        }
    }
}
