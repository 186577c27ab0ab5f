/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.demo;

import java.util.ArrayList;
import java.util.List;

/**
 * Every kind of descriptor, passed from the host to the guest and from the guest to the host, and used there.
 */
final class DescriptorPassing implements Step {
    private final int rounds;

    /**
     * @param rounds how often each kind is passed, each way.
     */
    DescriptorPassing(final int rounds) {
        this.rounds = rounds;
    }

    @Override
    public String name() {
        return "descriptors of each kind";
    }

    @Override
    public List<Row> run(final Applications applications, final Screen screen) {
        final List<Row> rows = new ArrayList<>();
        try (Applications.Ends ends = applications.connect()) {
            for (final DescriptorKind kind : DescriptorKinds.ALL) {
                screen.progress(kind.what());
                for (int round = 0; round < rounds; round++) {
                    use(kind, "guest to host", ends.guest(), ends.host());
                    use(kind, "host to guest", ends.host(), ends.guest());
                }
                rows.add(Row.of(kind.what() + " passed", kind.how() + ", " + rounds + " each way"));
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
