/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.config;

import java.util.concurrent.TimeUnit;

/**
 * What is agreed with a peer that understands the protocol's extension, and how long a silent peer is borne.
 *
 * @param enabled             whether to greet, and to heed the peer's greeting.
 * @param windowLength        bytes of one stream that the peer may have sent and an application here not taken, at
 *                            first.
 * @param maxWindowLength     the same at most, for a stream whose reader keeps up.
 * @param heartbeatIntervalNs how long the peer may be silent before it is asked for a sign of life; 0 for never. Four
 *                            times that without one ends the session.
 * @param linkTimeoutNs       how long writing to the link may make no progress before the session ends; 0 for ever.
 *                            This goes for every peer.
 */
public record Extensions(
    boolean enabled, int windowLength, int maxWindowLength, long heartbeatIntervalNs, long linkTimeoutNs) {
    /**
     * Checks each.
     *
     * @throws IllegalArgumentException when one is out of its range, which the message gives.
     */
    public Extensions {
        SessionLimits.check("windowLength", windowLength, 1, 1 << 30);
        SessionLimits.check("maxWindowLength", maxWindowLength, windowLength, 1 << 30);
        SessionLimits.check("heartbeatIntervalNs", heartbeatIntervalNs, 0, SessionLimits.MAX_TIMEOUT_NS);
        SessionLimits.check("linkTimeoutNs", linkTimeoutNs, 0, SessionLimits.MAX_TIMEOUT_NS);
    }

    /** The defaults. */
    public static final Extensions DEFAULTS = new Extensions(
        true, 256 << 10, 4 << 20, TimeUnit.SECONDS.toNanos(15), TimeUnit.SECONDS.toNanos(60));

    /** The defaults, but for the extension itself, which is neither offered nor heeded. */
    public static final Extensions OFF = new Extensions(
        false, DEFAULTS.windowLength, DEFAULTS.maxWindowLength, 0, DEFAULTS.linkTimeoutNs);
}
