/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.demo;

import java.util.ArrayList;
import java.util.List;

/**
 * Passes every kind of descriptor from the host to the guest and from the guest to the host, and uses it there.
 */
final class DescriptorPassing implements Step {
    private final List<DescriptorKind> kinds;
    private final int rounds;

    /**
     * @param kinds  to pass.
     * @param rounds how often each is passed, each way.
     */
    DescriptorPassing(final List<DescriptorKind> kinds, final int rounds) {
        this.kinds = kinds;
        this.rounds = rounds;
    }

    @Override
    public String name() {
        return "descriptors of each kind";
    }

    @Override
    public List<Row> run(final Applications applications, final Screen screen) {
        final List<Row> rows = new ArrayList<>();
        rows.add(Row.of("passed and used", rounds + " times each way"));
        try (Applications.Ends ends = applications.connect()) {
            for (final DescriptorKind kind : kinds) {
                screen.progress(kind.what());
                for (int round = 0; round < rounds; round++) {
                    use(kind, "guest to host", ends.guest(), ends.host());
                    use(kind, "host to guest", ends.host(), ends.guest());
                }
                rows.add(Row.of("  " + kind.what(), kind.how()));
            }
        }
        return rows;
    }

    private static void use(
        final DescriptorKind kind, final String direction, final Channel from, final Channel to) {
        try {
            kind.usage().use(from, to);
        } catch (final RuntimeException e) {
            throw new DemoException(kind.what() + ", " + direction + ": " + e.getMessage(), e);
        }
    }
}
