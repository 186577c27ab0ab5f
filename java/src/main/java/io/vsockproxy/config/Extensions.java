/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.config;

import java.util.concurrent.TimeUnit;

/**
 * What to agree on with a peer that knows the protocol's extension, and how long a silent peer is tolerated.
 *
 * @param enabled             whether to send a greeting, and to act on the peer's. What follows, except {@code
 *                            linkTimeoutNs}, counts only when both sides have greeted.
 * @param windowLength        how many bytes of one stream the peer may initially have sent that the application here
 *                            has not taken: 1 to 2^30.
 * @param maxWindowLength     what this window may grow to for a stream whose reader keeps up, in bytes: {@code
 *                            windowLength} to 2^30.
 * @param heartbeatIntervalNs how long the peer may be silent before it is asked for a sign of life, in ns; 0 never
 *                            asks. The session ends after four times as long without one. A year at most.
 * @param linkTimeoutNs       how long writing to the link may make no progress before the session ends, in ns; 0 for
 *                            ever; a year at most. This applies to every peer.
 */
public record Extensions(
    boolean enabled, int windowLength, int maxWindowLength, long heartbeatIntervalNs, long linkTimeoutNs) {
    /**
     * Checks that each is in its range.
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

    /** The defaults, but with the extension neither offered nor accepted. */
    public static final Extensions OFF = new Extensions(
        false, DEFAULTS.windowLength, DEFAULTS.maxWindowLength, 0, DEFAULTS.linkTimeoutNs);
}
