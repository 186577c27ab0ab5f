/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.demo;

import java.util.Objects;

/**
 * Compares what was expected with what arrived, and says both when they differ.
 */
final class Check {
    private Check() {
    }

    static void equal(final String what, final Object expected, final Object actual) {
        if (!Objects.equals(expected, actual)) {
            throw new DemoException(what + ": expected " + brief(expected) + ", got " + brief(actual));
        }
    }

    static void that(final String what, final boolean holds) {
        if (!holds) {
            throw new DemoException("not so: " + what);
        }
    }

    private static String brief(final Object value) {
        final String text = String.valueOf(value);
        return text.length() <= 60 ? text : text.substring(0, 60) + "... (" + text.length() + " characters)";
    }
}
