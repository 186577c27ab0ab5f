/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.model;

/**
 * An eventfd, which stands for what the link itself carries.
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
