/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.model;

import java.util.ArrayList;
import java.util.List;
import java.util.function.BooleanSupplier;
import java.util.function.Predicate;

/**
 * Finds a shorter program that fails as well, by taking pieces away: halves at first, single operations in the end.
 */
final class Shrinking {
    private Shrinking() {
    }

    /**
     * The shortest that was found.
     *
     * @param fails    carries out a program; what depends on timing may fail now and not then, which costs some of the
     *                 shortening and nothing else.
     * @param timeIsUp whether to be content with what there is.
     */
    static List<Operation> shrink(
        final List<Operation> program, final Predicate<List<Operation>> fails, final BooleanSupplier timeIsUp) {
        List<Operation> shortest = program;
        for (int piece = Math.max(1, program.size() / 2); piece > 0; piece /= 2) {
            for (int from = 0; from < shortest.size() && !timeIsUp.getAsBoolean();) {
                final List<Operation> shorter = new ArrayList<>(shortest.subList(0, from));
                shorter.addAll(shortest.subList(Math.min(shortest.size(), from + piece), shortest.size()));
                if (fails.test(shorter)) {
                    shortest = shorter;
                } else {
                    from += piece;
                }
            }
        }
        return shortest;
    }
}
