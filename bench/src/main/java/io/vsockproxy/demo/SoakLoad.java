/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.demo;

import java.util.Random;

/**
 * One kind of use, done again and again.
 */
@FunctionalInterface
interface SoakLoad {
    /**
     * Does it once; closes what it opens.
     *
     * @throws RuntimeException when anything came through wrong, or not at all.
     */
    void run(SoakService service, Random random, SoakLedger ledger);
}
