/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.model;

/**
 * An open regular file.
 */
final class RegularFile extends Item {
    RegularFile(final int id, final Application owner) {
        super(id, owner);
    }

    @Override
    public String toString() {
        return "file" + id();
    }
}
