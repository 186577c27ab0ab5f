/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.demo;

import java.util.Random;

/**
 * One kind of load, run again and again.
 */
@FunctionalInterface
interface SoakLoad {
    /**
     * Runs it once; closes what it opens.
     *
     * @throws RuntimeException when anything arrived wrong or not at all.
     */
    void run(SoakService service, Random random, SoakLedger ledger);
}
