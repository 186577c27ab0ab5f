/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy;

import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNotSame;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.vsockproxy.session.AllowedPaths;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/**
 * Which guests are admitted, while that changes.
 */
class AdmissionTest {
    private static final List<String> COMMON = List.of("/run/common");

    @Test
    void shouldAdmitEveryoneWhenNoGuestsAreNamed() {
        try (Admission admission = new Admission(COMMON, null)) {
            assertSame(admission.paths(), admission.paths(42));
            assertTrue(admission.admits(admission.paths(42)));
        }
    }

    @Test
    void shouldAdmitNobodyWhenTheListOfGuestsIsEmpty() {
        try (Admission admission = new Admission(COMMON, Map.of())) {
            assertNull(admission.paths(42));
            assertNull(admission.paths(0));
        }
    }

    @Test
    void shouldKeepThePathsOfAGuestThatStaysListedAndDisconnectOneThatDoesNot() {
        try (Admission admission = new Admission(COMMON, Map.of(42, List.of("/run/a"), -2, List.of()))) {
            final AllowedPaths ofOne = admission.paths(42);
            final AllowedPaths ofAnother = admission.paths(-2);
            assertNotNull(ofAnother);
            assertTrue(admission.admits(ofOne) && admission.admits(ofAnother));

            admission.guests(Map.of(42, List.of("/run/b"), 43, List.of()));
            assertSame(ofOne, admission.paths(42));
            assertTrue(admission.admits(ofOne));
            assertNull(admission.paths(-2));
            assertFalse(admission.admits(ofAnother));
            assertNotNull(admission.paths(43));

            admission.guests(Map.of(-2, List.of()));
            assertNull(admission.paths(42));
            assertFalse(admission.admits(ofOne));
            // Entries of guests that are no longer listed are dropped: a long-running host may see ever new ones.
            assertNotNull(admission.paths(-2));
            assertNotSame(ofAnother, admission.paths(-2));
        }
    }
}
