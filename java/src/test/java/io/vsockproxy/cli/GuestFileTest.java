/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
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
        assertEquals(
            Map.of(42, List.of("/run/a.sock", "/run/with space.sock", "@abstract"), -2, List.of()),
            read("# our guests\n\n42 /run/a.sock\n  42\t/run/with space.sock \n4294967294\n42 @abstract\n"));
    }

    @ParameterizedTest
    @ValueSource(strings = {"-1", "4294967295", "x", "42 relative.sock", "/run/a.sock", "1.5 /run/a.sock"})
    void shouldNameTheLineThatIsWrong(final String line) {
        final IllegalArgumentException problem =
            assertThrows(IllegalArgumentException.class, () -> read("# comment\n" + line + "\n"));
        assertTrue(problem.getMessage().contains("line 2: "), problem.getMessage());
    }

    @Test
    void shouldSayThatThereIsNoSuchFile() {
        final Path missing = directory.resolve("missing");
        final IllegalArgumentException problem = assertThrows(
            IllegalArgumentException.class, () -> GuestFile.read(missing, new HashMap<>()));
        assertTrue(problem.getMessage().contains(missing.toString()), problem.getMessage());
    }

    private Map<Integer, List<String>> read(final String text) throws IOException {
        final Path file = Files.writeString(directory.resolve("guests"), text);
        final Map<Integer, List<String>> pathsByCid = new HashMap<>();
        GuestFile.read(file, pathsByCid);
        return pathsByCid;
    }
}
