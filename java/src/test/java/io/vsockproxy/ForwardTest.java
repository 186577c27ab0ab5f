/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * The syntax of forwards.
 */
class ForwardTest {
    @Test
    void shouldBeToThePeerThatCameLastWithoutACid() {
        assertEquals(new Forward("/run/a", "/run/b", Forward.LAST_PEER), Forward.parse("/run/a=/run/b"));
        assertEquals(new Forward("@a", "@b=c"), Forward.parse("@a=@b=c"));
        assertEquals(new Forward("/run/a", "/run/1:b"), Forward.parse("/run/a=/run/1:b"));
    }

    @Test
    void shouldBeToTheGuestWhoseCidIsInFront() {
        assertEquals(new Forward("/run/a", "/run/b", 42), Forward.parse("/run/a=42:/run/b"));
        assertEquals(new Forward("/run/a", "7:/run/b", -2), Forward.parse("/run/a=4294967294:7:/run/b"));
    }

    @ParameterizedTest
    @ValueSource(strings = {"/run/a=/run/b", "@a=@b", "/run/a=42:/run/b", "/run/a=4294967294:@b"})
    void shouldBePrintedAsItIsWritten(final String text) {
        assertEquals(text, Forward.parse(text).toString());
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "/run/a", "/run/a=", "=/run/b", "/run/a=42:", "/run/a=4294967295:/run/b",
        "/run/a=99999999999999999999:/run/b"})
    void shouldRefuseEverythingElse(final String text) {
        assertThrows(IllegalArgumentException.class, () -> Forward.parse(text));
    }
}
