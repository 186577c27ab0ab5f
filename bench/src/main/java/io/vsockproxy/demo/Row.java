/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.demo;

/**
 * A line of the closing table.
 *
 * @param what what was done.
 * @param howMuch how much of it.
 * @param rate    MiB/s, or empty.
 * @param p50     of a round trip in microseconds, or empty.
 * @param p99     of a round trip in microseconds, or empty.
 */
record Row(String what, String howMuch, String rate, String p50, String p99) {
    /** A line without figures. */
    static Row of(final String what, final String howMuch) {
        return new Row(what, howMuch, "", "", "");
    }
}
