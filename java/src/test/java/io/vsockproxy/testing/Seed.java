/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.testing;

import java.util.Random;

/**
 * Random numbers that can be had again: {@code -Dvsockproxy.test.seed=} what a failed run printed.
 */
public final class Seed {
    private Seed() {
    }

    /** A source of random numbers whose seed is printed. */
    public static Random random(final String test) {
        final long seed = Long.getLong("vsockproxy.test.seed", System.nanoTime());
        System.out.println(test + ": vsockproxy.test.seed=" + seed);
        return new Random(seed);
    }
}
