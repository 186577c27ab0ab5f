/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.demo;

import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.atomic.LongAdder;

/**
 * Records what a soak has done so far, and what went wrong. Thread-safe.
 */
final class SoakLedger {
    /** What is told one by one. */
    private static final int MAX_FAULTS = 20;

    /** Bytes that came out and were compared with what went in. */
    final LongAdder bytes = new LongAdder();
    private final Map<String, Long> counts = new TreeMap<>();
    private int faultCount;

    /** One more of something. */
    synchronized void count(final String what) {
        counts.merge(what, 1L, Long::sum);
    }

    /** Something that must not happen: told at once. */
    synchronized void fault(final String what) {
        faultCount++;
        if (faultCount <= MAX_FAULTS) {
            System.out.println("FAULT " + what);
        }
    }

    synchronized int faultCount() {
        return faultCount;
    }

    /** Everything counted, by name. */
    synchronized Map<String, Long> counts() {
        return new TreeMap<>(counts);
    }
}
