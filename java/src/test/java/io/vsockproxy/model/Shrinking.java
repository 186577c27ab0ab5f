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
 * Finds a shorter program that also fails, by removing parts: halves at first, single operations at the end.
 */
final class Shrinking {
    private Shrinking() {
    }

    /**
     * Returns the shortest program that was found.
     *
     * @param fails    runs a program, and says whether it fails. A failure that depends on timing may not recur, which
     *                 only makes the result longer than necessary.
     * @param timeIsUp whether to stop with the shortest so far.
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
