/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.model;

/**
 * Two ends, joined.
 */
final class Channel {
    private final int id;
    private final Kind kind;
    private final End[] ends = new End[2];
    private boolean passed;

    /**
     * @param id   increases: a channel is passed only over older ones, since otherwise two could be on their way in
     *             each other forever.
     * @param kind of both ends.
     */
    Channel(final int id, final Kind kind, final Application first, final Application second) {
        this.id = id;
        this.kind = kind;
        ends[0] = new End(2 * id, this, 0, first);
        ends[1] = new End(2 * id + 1, this, 1, second);
    }

    int id() {
        return id;
    }

    Kind kind() {
        return kind;
    }

    End end(final int index) {
        return ends[index];
    }

    /** Whether one of its ends has ever been passed on. */
    boolean hasBeenPassed() {
        return passed;
    }

    void passed() {
        passed = true;
    }
}
