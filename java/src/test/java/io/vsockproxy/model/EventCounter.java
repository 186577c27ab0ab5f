/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.model;

/**
 * An eventfd, which represents the descriptors that only the link itself can carry.
 */
final class EventCounter extends Item {
    EventCounter(final int id, final Application owner) {
        super(id, owner);
    }

    @Override
    public String toString() {
        return "eventfd" + id();
    }
}
