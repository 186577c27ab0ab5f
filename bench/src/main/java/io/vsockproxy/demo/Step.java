/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.demo;

import java.util.List;

/**
 * One thing that the demo does through the proxies.
 */
interface Step {
    /** What it does, for people. */
    String name();

    /**
     * Runs it.
     *
     * @return lines for the closing table.
     * @throws DemoException when anything is wrong.
     */
    List<Row> run(Applications applications, Screen screen);
}
