/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.packaging;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;

/**
 * A second build, in a directory with another name, produces the same files as the first.
 */
class ReproducibleBuildTest {
    private static final List<String> OTHER_FILES = List.of("cyclonedx.json", "cyclonedx.xml");

    @Test
    void shouldMakeTheSameBytesInAnotherDirectory() throws IOException {
        assertNotEquals(Published.CHECKOUT.toRealPath(), Published.SECOND_CHECKOUT.toRealPath());
        for (final String classifier : Published.classifiers()) {
            assertSameBytes(Published.jar(classifier), Published.jar(Published.SECOND_CHECKOUT, classifier));
        }
        for (final String name : OTHER_FILES) {
            final String path = "java/target/vsock-proxy-" + Published.VERSION + "-" + name;
            assertSameBytes(Published.CHECKOUT.resolve(path), Published.SECOND_CHECKOUT.resolve(path));
        }
    }

    private static void assertSameBytes(final Path first, final Path second) throws IOException {
        assertTrue(Files.size(first) > 0, first::toString);
        assertEquals(-1, Files.mismatch(first, second), () -> "first byte that differs of " + first);
    }
}
