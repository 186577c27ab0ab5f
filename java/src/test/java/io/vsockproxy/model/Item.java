/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.model;

import io.vsockproxy.testing.Endpoint;

/**
 * A descriptor of an application, in both worlds.
 */
abstract class Item {
    private final int id;
    private final Endpoint[] descriptors = new Endpoint[World.BOTH.length];
    private Application owner;

    Item(final int id, final Application owner) {
        this.id = id;
        this.owner = owner;
    }

    final int id() {
        return id;
    }

    /** Null while it is under way from one application to another, and when it is gone. */
    final Application owner() {
        return owner;
    }

    final void owner(final Application newOwner) {
        owner = newOwner;
    }

    final Endpoint in(final World world) {
        return descriptors[world.index()];
    }

    final void put(final World world, final Endpoint descriptor) {
        descriptors[world.index()] = descriptor;
    }

    /** Closes this application's descriptors, and nothing else. */
    final void closeDescriptors() {
        for (final World world : World.BOTH) {
            if (in(world) != null) {
                in(world).close();
                put(world, null);
            }
        }
    }
}
