/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.session;

import io.vsockproxy.counters.CounterId;
import io.vsockproxy.counters.CounterValues;

/**
 * Counts of what has happened in one session, for its last line in the log, the counters' file and tests. Confined to
 * the loop's thread.
 */
public final class SessionCounters {
    long framesIn;
    long bytesIn;
    long framesOut;
    long bytesOut;
    long unknownCommands;
    long unknownHandles;
    long unaskedResponses;
    long refusedConnects;
    long undeliverableDescriptors;
    long uncarriableDescriptors;
    long truncatedControlData;
    long stalledStreams;
    long resetsIn;
    long resetsOut;
    long preads;
    long preadNs;
    long maxPreadNs;

    /** Frames received. */
    public long framesIn() {
        return framesIn;
    }

    /** Adds all of these counts to {@code values}. */
    public void addTo(final CounterValues values) {
        values.add(CounterId.FRAMES_IN, framesIn);
        values.add(CounterId.FRAMES_OUT, framesOut);
        values.add(CounterId.BYTES_IN, bytesIn);
        values.add(CounterId.BYTES_OUT, bytesOut);
        values.add(CounterId.CONNECTS_REFUSED, refusedConnects);
        values.add(CounterId.STREAMS_STALLED, stalledStreams);
        values.add(CounterId.RESETS_IN, resetsIn);
        values.add(CounterId.RESETS_OUT, resetsOut);
        values.add(CounterId.CONTROL_DATA_TRUNCATED, truncatedControlData);
        values.add(CounterId.DESCRIPTORS_UNDELIVERABLE, undeliverableDescriptors);
        values.add(CounterId.DESCRIPTORS_UNCARRIABLE, uncarriableDescriptors);
        values.add(CounterId.UNKNOWN_COMMANDS, unknownCommands);
        values.add(CounterId.UNKNOWN_HANDLES, unknownHandles);
        values.add(CounterId.UNASKED_RESPONSES, unaskedResponses);
        values.add(CounterId.PREADS, preads);
        values.add(CounterId.PREAD_NS, preadNs);
        values.raise(CounterId.PREAD_MAX_NS, maxPreadNs);
    }

    /** A read of one of the peer's files was answered after {@code elapsedNs}. */
    void onPreadAnswered(final long elapsedNs) {
        preads++;
        preadNs += elapsedNs;
        maxPreadNs = Math.max(maxPreadNs, elapsedNs);
    }

    @Override
    public String toString() {
        return "frames in=" + framesIn + " out=" + framesOut + ", blob bytes in=" + bytesIn + " out=" + bytesOut
            + ", unknown commands=" + unknownCommands + ", unknown handles=" + unknownHandles
            + ", unasked responses=" + unaskedResponses
            + ", refused connects=" + refusedConnects
            + ", undeliverable descriptors=" + undeliverableDescriptors
            + ", uncarriable descriptors=" + uncarriableDescriptors
            + ", truncated control data=" + truncatedControlData
            + ", stalled streams=" + stalledStreams
            + ", resets in=" + resetsIn + " out=" + resetsOut;
    }
}
