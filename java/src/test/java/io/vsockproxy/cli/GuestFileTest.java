/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.vsockproxy.VsockProxy;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * The list of guests that a host serves.
 */
class GuestFileTest {
    @TempDir
    Path directory;

    @Test
    void shouldAdmitEachGuestAndAllowItsPaths() throws IOException {
        final VsockProxy.Context context = apply(
            "# our guests\n\n42 /run/a.sock\n  42\t/run/with space.sock \n42 @name\n4294967294\n");
        assertEquals(Set.of(42, -2), context.allowedCids());
        assertEquals(
            Map.of(42, List.of("/run/a.sock", "/run/with space.sock", "@name")), context.allowedPathsByCid());
        assertTrue(context.allowedPaths().isEmpty());
    }

    @ParameterizedTest
    @ValueSource(strings = {"-1", "4294967295", "x", "42 relative.sock", "/run/a.sock", "1.5 /run/a.sock"})
    void shouldNameTheLineThatIsWrong(final String line) {
        final IllegalArgumentException problem =
            assertThrows(IllegalArgumentException.class, () -> apply("# comment\n" + line + "\n"));
        assertTrue(problem.getMessage().contains("line 2: "), problem.getMessage());
    }

    @Test
    void shouldSayThatThereIsNoSuchFile() {
        final Path missing = directory.resolve("missing");
        final IllegalArgumentException problem = assertThrows(
            IllegalArgumentException.class, () -> GuestFile.apply(missing, new VsockProxy.Context()));
        assertTrue(problem.getMessage().contains(missing.toString()), problem.getMessage());
    }

    private VsockProxy.Context apply(final String text) throws IOException {
        final Path file = Files.writeString(directory.resolve("guests"), text);
        final VsockProxy.Context context = new VsockProxy.Context();
        GuestFile.apply(file, context);
        return context;
    }
}
