/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.session;

/**
 * What has happened in one session, for its log line and for tests. Written by the loop's thread only.
 */
public final class Counters {
    long framesIn;
    long bytesIn;
    long framesOut;
    long bytesOut;
    long unknownCommands;
    long unknownHandles;
    long unaskedResponses;
    long misdirected;
    long refusedConnects;
    long undeliverableDescriptors;
    long uncarriableDescriptors;
    long truncatedControlData;
    long stalledStreams;

    /** Frames received. */
    public long framesIn() {
        return framesIn;
    }

    /** Messages with no command known here. */
    public long unknownCommands() {
        return unknownCommands;
    }

    /** Data and Close messages for handles not known here: they crossed with a Close. */
    public long unknownHandles() {
        return unknownHandles;
    }

    /** Responses with a cookie that was not waited for. */
    public long unaskedResponses() {
        return unaskedResponses;
    }

    /** Connects refused by the allow-list or a limit. */
    public long refusedConnects() {
        return refusedConnects;
    }

    /** Descriptors that came for a stream that could not take them. */
    public long undeliverableDescriptors() {
        return undeliverableDescriptors;
    }

    @Override
    public String toString() {
        return "frames in=" + framesIn + " out=" + framesOut + ", blob bytes in=" + bytesIn + " out=" + bytesOut
            + ", unknown commands=" + unknownCommands + ", unknown handles=" + unknownHandles
            + ", unasked responses=" + unaskedResponses + ", misdirected=" + misdirected
            + ", refused connects=" + refusedConnects
            + ", undeliverable descriptors=" + undeliverableDescriptors
            + ", uncarriable descriptors=" + uncarriableDescriptors
            + ", truncated control data=" + truncatedControlData
            + ", stalled streams=" + stalledStreams;
    }
}
