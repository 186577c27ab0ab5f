/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.testing;

import java.util.Random;

/**
 * Random numbers that can be reproduced: set {@code -Dvsockproxy.test.seed=} to the seed that a failed run printed.
 * Also how long tests run that could go on forever: {@code -Dvsockproxy.test.minutes=}.
 */
public final class Seeds {
    private Seeds() {
    }

    /** A seed, which is printed: the given one, or a new one. */
    public static long seed(final String test) {
        final long seed = Long.getLong("vsockproxy.test.seed", System.nanoTime());
        System.out.println(test + ": vsockproxy.test.seed=" + seed);
        return seed;
    }

    /** Random numbers of {@link #seed}. */
    public static Random random(final String test) {
        return new Random(seed(test));
    }

    /** How long to go on, in milliseconds: {@code defaultMs}, or the minutes that were asked for. */
    public static long durationMs(final long defaultMs) {
        final long minutes = Long.getLong("vsockproxy.test.minutes", 0);
        return minutes > 0 ? minutes * 60_000 : defaultMs;
    }
}
