/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.testing;

import io.vsockproxy.Role;
import io.vsockproxy.config.Extensions;
import io.vsockproxy.config.SessionLimits;

/**
 * Which of the two sides has the extension.
 */
public enum Pairing {
    /** Both have. */
    NEW_HOST_NEW_GUEST(true, true),
    /** The host only. */
    NEW_HOST_OLD_GUEST(true, false),
    /** The guest only. */
    OLD_HOST_NEW_GUEST(false, true),
    /** Neither has. */
    OLD_HOST_OLD_GUEST(false, false);

    private final boolean host;
    private final boolean guest;

    Pairing(final boolean host, final boolean guest) {
        this.host = host;
        this.guest = guest;
    }

    /** Two of them in this process. */
    public MixedPair start() {
        return new MixedPair(settings(host), settings(guest), SessionLimits.DEFAULTS);
    }

    /** Whether the two use the extension. */
    public boolean agreed() {
        return host && guest;
    }

    /** The value of --extensions on that side. */
    public String option(final Role side) {
        return (side == Role.HOST ? host : guest) ? "on" : "off";
    }

    private static Extensions settings(final boolean enabled) {
        return enabled ? Extensions.DEFAULTS : Extensions.OFF;
    }
}
