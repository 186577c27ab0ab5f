/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.model;

/**
 * A copy that an application has kept of a descriptor that it passed. It is open, and not used.
 */
final class KeptCopy extends Item {
    private final Item original;

    KeptCopy(final int id, final Application owner, final Item original) {
        super(id, owner);
        this.original = original;
    }

    boolean isOf(final Item item) {
        return original.equals(item);
    }

    @Override
    public String toString() {
        return "copy" + id() + " of " + original;
    }
}
