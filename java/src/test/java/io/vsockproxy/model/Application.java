/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.model;

import io.vsockproxy.Role;
import java.util.Locale;

/**
 * An owner of descriptors. When it is killed, the kernel closes all of them at once, whatever they still had to read.
 *
 * @param side   of the link.
 * @param number among those of its side.
 */
record Application(Role side, int number) {
    @Override
    public String toString() {
        return side.name().toLowerCase(Locale.ROOT) + number;
    }
}
