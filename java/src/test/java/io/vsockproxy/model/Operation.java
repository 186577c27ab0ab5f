/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.model;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;

/**
 * What to do, and three numbers that select what to do it with, from whatever exists when the operation runs. So a
 * program from which operations have been removed is still valid.
 */
record Operation(Code code, int first, int second, int third) {
    /** What to do. */
    enum Code {
        CONNECT(5), PASS_NEW(9), PASS(7), SEND(24), FLOOD(4), RECEIVE(26), DRAIN(5), SHUT_DOWN(3), CLOSE(5), KILL(1),
        FILE(8), EVENT(3);

        private final int weight;

        Code(final int weight) {
            this.weight = weight;
        }
    }

    private static final Code[] WEIGHTED = weighted();

    /** As many as asked for. */
    static List<Operation> program(final Random random, final int length) {
        final List<Operation> operations = new ArrayList<>(length);
        for (int i = 0; i < length; i++) {
            operations.add(new Operation(
                WEIGHTED[random.nextInt(WEIGHTED.length)], number(random), number(random), number(random)));
        }
        return operations;
    }

    private static int number(final Random random) {
        return random.nextInt(Integer.MAX_VALUE);
    }

    private static Code[] weighted() {
        final List<Code> codes = new ArrayList<>();
        for (final Code code : Code.values()) {
            for (int i = 0; i < code.weight; i++) {
                codes.add(code);
            }
        }
        return codes.toArray(new Code[0]);
    }
}
