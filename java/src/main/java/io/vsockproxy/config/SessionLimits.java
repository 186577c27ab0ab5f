/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.config;

import io.vsockproxy.posix.ControlData;
import java.util.concurrent.TimeUnit;

/**
 * What one peer may use up, and how long things may take. Lengths are in bytes, times in nanoseconds. To change some of
 * the {@link #DEFAULTS}, use {@link #toBuilder}.
 *
 * @param maxFrameLength          1 KiB to 1 GiB: a larger frame ends the session; a proxy needs at least
 *                                {@link #MIN_FRAME_LENGTH}.
 * @param maxHandles              1 to 2^24: descriptors and connections open at once. A further connection is refused;
 *                                a further descriptor is refused and closes the stream it came on.
 * @param maxDescriptorsPerFrame  0 to 253: a frame with more ends the session.
 * @param maxPendingConnects      1 to 2^20: connection attempts under way at once, in each direction; a further one is
 *                                answered with EAGAIN.
 * @param maxPendingFileRequests  1 to 2^20: unanswered file requests, in each direction; a further one is answered with
 *                                EAGAIN.
 * @param maxPendingFileWriteLength 1 byte to 1 TiB: bytes of pwrites that wait for a disk here; a pwrite beyond them is
 *                                  answered with EAGAIN.
 * @param maxFileReadLength       1 byte to 1 GiB: a longer pread is shortened to this.
 * @param maxStreamQueueLength    1 byte to 1 GiB: bytes that may wait for one local reader before the link is no longer
 *                                read. A packet counts 64 bytes more than it has, a descriptor 4 KiB.
 * @param maxSessionQueueLength   1 byte to 1 TiB: bytes, counted likewise, that may wait for all local readers before
 *                                the link is no longer read.
 * @param maxDescriptorsInFlight  1 to 2^20: received descriptors that may wait for local readers, with the bytes they
 *                                came with; a message beyond them is not read from the link until some have been taken.
 * @param stallTimeoutNs          1 ns to {@link #MAX_TIMEOUT_NS}: how long the link may go unread before a stream whose
 *                                local reader has taken nothing for as long is closed: the one with too much queued, or
 *                                else the one that has been slow for longest.
 * @param lingerTimeoutNs         1 ns to {@link #MAX_TIMEOUT_NS}: how long a closed stream waits for a local reader
 *                                that takes nothing, before what it has left is dropped.
 * @param connectTimeoutNs        1 ns to {@link #MAX_TIMEOUT_NS}: how long connecting to a local socket may take.
 * @param inboundWindowLength     4 KiB to 256 MiB: length of the inbound buffer in normal operation; a longer frame
 *                                makes it grow.
 * @param outboundLength          256 KiB to 1 GiB: length of the outbound ring, a power of two; local sources fill at
 *                                most half of it.
 * @param readLength              1 byte to 1 GiB: the most that is read from a local stream at once.
 */
public record SessionLimits(
    int maxFrameLength,
    int maxHandles,
    int maxDescriptorsPerFrame,
    int maxPendingConnects,
    int maxPendingFileRequests,
    long maxPendingFileWriteLength,
    int maxFileReadLength,
    int maxStreamQueueLength,
    long maxSessionQueueLength,
    int maxDescriptorsInFlight,
    long stallTimeoutNs,
    long lingerTimeoutNs,
    long connectTimeoutNs,
    int inboundWindowLength,
    int outboundLength,
    int readLength) {

    /** The longest of all timeouts and intervals, in ns: a year, far below where sums of such times would overflow. */
    public static final long MAX_TIMEOUT_NS = TimeUnit.DAYS.toNanos(365);

    /**
     * In bytes. The answer to a read of 1 MiB, the most that the kernel asks a mount for at once, must fit into a
     * frame: the kernel would take a shorter answer for the end of the file.
     */
    public static final int MIN_FRAME_LENGTH = (1 << 20) + 64;

    /** The defaults. */
    public static final SessionLimits DEFAULTS = new SessionLimits(
        /* maxFrameLength */ 16 << 20,
        /* maxHandles */ 65_536,
        /* maxDescriptorsPerFrame */ 253,
        /* maxPendingConnects */ 1024,
        /* maxPendingFileRequests */ 4096,
        /* maxPendingFileWriteLength */ 32L << 20,
        /* maxFileReadLength */ 1 << 20,
        /* maxStreamQueueLength */ 4 << 20,
        /* maxSessionQueueLength */ 64L << 20,
        /* maxDescriptorsInFlight */ 1024,
        /* stallTimeoutNs */ TimeUnit.SECONDS.toNanos(10),
        /* lingerTimeoutNs */ TimeUnit.SECONDS.toNanos(30),
        /* connectTimeoutNs */ TimeUnit.SECONDS.toNanos(10),
        /* inboundWindowLength */ 2 << 20,
        /* outboundLength */ 4 << 20,
        /* readLength */ 256 << 10);

    /**
     * Checks that each is in its range.
     *
     * @throws IllegalArgumentException when one is out of its range, which the message gives.
     */
    public SessionLimits {
        check("maxFrameLength", maxFrameLength, 1024, 1 << 30);
        check("maxHandles", maxHandles, 1, 1 << 24);
        check("maxDescriptorsPerFrame", maxDescriptorsPerFrame, 0, ControlData.MAX_DESCRIPTORS);
        check("maxPendingConnects", maxPendingConnects, 1, 1 << 20);
        check("maxPendingFileRequests", maxPendingFileRequests, 1, 1 << 20);
        check("maxPendingFileWriteLength", maxPendingFileWriteLength, 1, 1L << 40);
        check("maxFileReadLength", maxFileReadLength, 1, 1 << 30);
        check("maxStreamQueueLength", maxStreamQueueLength, 1, 1 << 30);
        check("maxSessionQueueLength", maxSessionQueueLength, 1, 1L << 40);
        check("maxDescriptorsInFlight", maxDescriptorsInFlight, 1, 1 << 20);
        check("stallTimeoutNs", stallTimeoutNs, 1, MAX_TIMEOUT_NS);
        check("lingerTimeoutNs", lingerTimeoutNs, 1, MAX_TIMEOUT_NS);
        check("connectTimeoutNs", connectTimeoutNs, 1, MAX_TIMEOUT_NS);
        check("inboundWindowLength", inboundWindowLength, 4 << 10, 256 << 20);
        check("outboundLength", outboundLength, 256 << 10, 1 << 30);
        if (Integer.bitCount(outboundLength) != 1) {
            throw new IllegalArgumentException("outboundLength=" + outboundLength + " is not a power of two");
        }
        check("readLength", readLength, 1, 1 << 30);
    }

    /** How much of the outbound ring local sources may fill, in bytes. */
    public int outboundDataLimit() {
        return outboundLength / 2;
    }

    /** Throws unless {@code min <= value <= max}. */
    static void check(final String name, final long value, final long min, final long max) {
        if (value < min || value > max) {
            throw new IllegalArgumentException(name + "=" + value + ", min=" + min + ", max=" + max);
        }
    }

    /** The longest datagram or seqpacket that can be carried, in bytes. */
    public int maxPacketLength() {
        return outboundDataLimit() - (64 << 10);
    }

    /**
     * A builder that starts with these limits, to change some of them: {@code
     * DEFAULTS.toBuilder().maxHandles(100).build()}.
     */
    public Builder toBuilder() {
        return new Builder(this);
    }

    /**
     * Builds limits that differ from others. Each setter changes the limit of the same name, which {@link
     * SessionLimits} describes. Confined to one thread.
     */
    public static final class Builder {
        private int maxFrameLength;
        private int maxHandles;
        private int maxDescriptorsPerFrame;
        private int maxPendingConnects;
        private int maxPendingFileRequests;
        private long maxPendingFileWriteLength;
        private int maxFileReadLength;
        private int maxStreamQueueLength;
        private long maxSessionQueueLength;
        private int maxDescriptorsInFlight;
        private long stallTimeoutNs;
        private long lingerTimeoutNs;
        private long connectTimeoutNs;
        private int inboundWindowLength;
        private int outboundLength;
        private int readLength;

        private Builder(final SessionLimits limits) {
            maxFrameLength = limits.maxFrameLength;
            maxHandles = limits.maxHandles;
            maxDescriptorsPerFrame = limits.maxDescriptorsPerFrame;
            maxPendingConnects = limits.maxPendingConnects;
            maxPendingFileRequests = limits.maxPendingFileRequests;
            maxPendingFileWriteLength = limits.maxPendingFileWriteLength;
            maxFileReadLength = limits.maxFileReadLength;
            maxStreamQueueLength = limits.maxStreamQueueLength;
            maxSessionQueueLength = limits.maxSessionQueueLength;
            maxDescriptorsInFlight = limits.maxDescriptorsInFlight;
            stallTimeoutNs = limits.stallTimeoutNs;
            lingerTimeoutNs = limits.lingerTimeoutNs;
            connectTimeoutNs = limits.connectTimeoutNs;
            inboundWindowLength = limits.inboundWindowLength;
            outboundLength = limits.outboundLength;
            readLength = limits.readLength;
        }

        public Builder maxFrameLength(final int value) {
            maxFrameLength = value;
            return this;
        }

        public Builder maxHandles(final int value) {
            maxHandles = value;
            return this;
        }

        public Builder maxDescriptorsPerFrame(final int value) {
            maxDescriptorsPerFrame = value;
            return this;
        }

        public Builder maxPendingConnects(final int value) {
            maxPendingConnects = value;
            return this;
        }

        public Builder maxPendingFileRequests(final int value) {
            maxPendingFileRequests = value;
            return this;
        }

        public Builder maxPendingFileWriteLength(final long value) {
            maxPendingFileWriteLength = value;
            return this;
        }

        public Builder maxFileReadLength(final int value) {
            maxFileReadLength = value;
            return this;
        }

        public Builder maxStreamQueueLength(final int value) {
            maxStreamQueueLength = value;
            return this;
        }

        public Builder maxSessionQueueLength(final long value) {
            maxSessionQueueLength = value;
            return this;
        }

        public Builder maxDescriptorsInFlight(final int value) {
            maxDescriptorsInFlight = value;
            return this;
        }

        public Builder stallTimeoutNs(final long value) {
            stallTimeoutNs = value;
            return this;
        }

        public Builder lingerTimeoutNs(final long value) {
            lingerTimeoutNs = value;
            return this;
        }

        public Builder connectTimeoutNs(final long value) {
            connectTimeoutNs = value;
            return this;
        }

        public Builder inboundWindowLength(final int value) {
            inboundWindowLength = value;
            return this;
        }

        public Builder outboundLength(final int value) {
            outboundLength = value;
            return this;
        }

        public Builder readLength(final int value) {
            readLength = value;
            return this;
        }

        /**
         * The limits as they are now set.
         *
         * @throws IllegalArgumentException when one is out of its range, which the message gives.
         */
        public SessionLimits build() {
            return new SessionLimits(
                maxFrameLength, maxHandles, maxDescriptorsPerFrame, maxPendingConnects,
                maxPendingFileRequests, maxPendingFileWriteLength, maxFileReadLength, maxStreamQueueLength,
                maxSessionQueueLength, maxDescriptorsInFlight, stallTimeoutNs, lingerTimeoutNs,
                connectTimeoutNs, inboundWindowLength, outboundLength, readLength);
        }
    }
}
