/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.model;

/**
 * Where an operation is carried out: directly on this machine, or through the proxies. Everything that a program uses
 * exists once in each world.
 */
enum World {
    /** Both applications on one machine: the sockets of the kernel, which say what is right. */
    PLAIN(0),
    /** An application on each side of two proxies. */
    PROXIED(1);

    /** As often as values() is asked for here, it is better not copied. */
    static final World[] BOTH = values();

    private final int index;

    World(final int index) {
        this.index = index;
    }

    /** In an array with an element for each. */
    int index() {
        return index;
    }
}
