/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.cli;

import io.vsockproxy.config.Extensions;
import io.vsockproxy.config.SessionLimits;
import java.math.BigDecimal;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Option;
import picocli.CommandLine.TypeConversionException;

/**
 * The options for the limits of each peer. Their defaults are those of {@link SessionLimits} and {@link Extensions}.
 */
final class LimitOptions {
    private static final SessionLimits LIMITS = SessionLimits.DEFAULTS;
    private static final Extensions EXTENSIONS = Extensions.DEFAULTS;

    @Option(
        names = "--max-frame",
        paramLabel = "SIZE",
        converter = Size.class,
        description = "Longest frame; a longer one ends the session. At least 1M + 64. Default: 16M.")
    private long maxFrame = LIMITS.maxFrameLength();

    @Option(
        names = "--max-handles",
        paramLabel = "COUNT",
        description = "Connections and passed descriptors of one session. Default: 65536.")
    private int maxHandles = LIMITS.maxHandles();

    @Option(
        names = "--max-connects",
        paramLabel = "COUNT",
        description = "Pending connects of one session, each way. Default: 1024.")
    private int maxConnects = LIMITS.maxPendingConnects();

    @Option(
        names = "--max-file-requests",
        paramLabel = "COUNT",
        description = "Pending file requests of one session, each way. Default: 4096.")
    private int maxFileRequests = LIMITS.maxPendingFileRequests();

    @Option(
        names = "--max-descriptors-in-flight",
        paramLabel = "COUNT",
        description = "Received descriptors of one session that local readers have not taken. Default: 1024.")
    private int maxDescriptorsInFlight = LIMITS.maxDescriptorsInFlight();

    @Option(
        names = "--stream-queue",
        paramLabel = "SIZE",
        converter = Size.class,
        description = "Bytes queued for one local reader beyond which the link is not read. Default: 4M.")
    private long streamQueue = LIMITS.maxStreamQueueLength();

    @Option(
        names = "--session-queue",
        paramLabel = "SIZE",
        converter = Size.class,
        description = "Bytes queued for all local readers of a session beyond which the link is not read. "
            + "Default: 64M.")
    private long sessionQueue = LIMITS.maxSessionQueueLength();

    @Option(
        names = "--stall-timeout",
        paramLabel = "TIME",
        converter = Time.class,
        description = "How long a local reader may hold up the link before its stream is closed. Default: 10s.")
    private long stallTimeoutNs = LIMITS.stallTimeoutNs();

    @Option(
        names = "--linger-timeout",
        paramLabel = "TIME",
        converter = Time.class,
        description = "How long a closed stream waits for a local reader that takes nothing. Default: 30s.")
    private long lingerTimeoutNs = LIMITS.lingerTimeoutNs();

    @Option(
        names = "--connect-timeout",
        paramLabel = "TIME",
        converter = Time.class,
        description = "How long connecting to a local socket may take. Default: 10s.")
    private long connectTimeoutNs = LIMITS.connectTimeoutNs();

    @Option(
        names = "--link-timeout",
        paramLabel = "TIME",
        converter = Time.class,
        description = "How long writing to the link may make no progress before the session ends. 0: no limit. "
            + "Default: 60s.")
    private long linkTimeoutNs = EXTENSIONS.linkTimeoutNs();

    @Option(
        names = "--heartbeat",
        paramLabel = "TIME",
        converter = Time.class,
        description = "How long a peer with the extension may be silent before it is pinged. After four times as "
            + "long the session ends. 0: no limit. Default: 15s.")
    private long heartbeatNs = EXTENSIONS.heartbeatIntervalNs();

    @Option(
        names = "--window",
        paramLabel = "SIZE",
        converter = Size.class,
        description = "With the extension, how many unconsumed bytes of one stream the other side may have sent, at "
            + "first. Default: 256K.")
    private long window = EXTENSIONS.windowLength();

    @Option(
        names = "--max-window",
        paramLabel = "SIZE",
        converter = Size.class,
        description = "What the window may grow to for a reader that keeps up; at least --window. Default: 4M.")
    private Long maxWindow;

    /**
     * What each peer is held to.
     *
     * @throws IllegalArgumentException when a value is out of its range.
     */
    SessionLimits sessionLimits() {
        if (maxFrame < SessionLimits.MIN_FRAME_LENGTH) {
            throw new IllegalArgumentException(
                "maxFrameLength=" + maxFrame + ", min=" + SessionLimits.MIN_FRAME_LENGTH);
        }
        return LIMITS.toBuilder()
            .maxFrameLength(toInt("maxFrameLength", maxFrame))
            .maxHandles(maxHandles)
            .maxPendingConnects(maxConnects)
            .maxPendingFileRequests(maxFileRequests)
            .maxDescriptorsInFlight(maxDescriptorsInFlight)
            .maxStreamQueueLength(toInt("maxStreamQueueLength", streamQueue))
            .maxSessionQueueLength(sessionQueue)
            .stallTimeoutNs(stallTimeoutNs)
            .lingerTimeoutNs(lingerTimeoutNs)
            .connectTimeoutNs(connectTimeoutNs)
            .build();
    }

    /**
     * What to agree on with a peer that knows the protocol's extension.
     *
     * @throws IllegalArgumentException when a value is out of its range.
     */
    Extensions extensions(final boolean enabled) {
        final int windowLength = toInt("windowLength", window);
        // A larger --window without --max-window raises the maximum as well.
        final int maxWindowLength = maxWindow == null
            ? Math.max(windowLength, EXTENSIONS.maxWindowLength()) : toInt("maxWindowLength", maxWindow);
        return new Extensions(
            enabled, windowLength, maxWindowLength, enabled ? heartbeatNs : 0, linkTimeoutNs);
    }

    private static int toInt(final String name, final long value) {
        if (value > Integer.MAX_VALUE) {
            throw new IllegalArgumentException(name + "=" + value + ", max=" + Integer.MAX_VALUE);
        }
        return (int) value;
    }

    /** Parses a size into bytes: a number, optionally with K, M or G for powers of 1024. */
    static final class Size implements ITypeConverter<Long> {
        private static final Pattern FORM = Pattern.compile("(\\d{1,12})([KMG]?)");

        @Override
        public Long convert(final String value) {
            final Matcher matcher = FORM.matcher(value);
            if (!matcher.matches()) {
                throw new TypeConversionException("'" + value + "' is not a size like 65536, 64K, 4M or 1G");
            }
            final int shift = switch (matcher.group(2)) {
                case "K" -> 10;
                case "M" -> 20;
                case "G" -> 30;
                default -> 0;
            };
            // Saturates instead of wrapping around to a small number: the largest long is too large for every option.
            return Math.min(Long.parseLong(matcher.group(1)), Long.MAX_VALUE >> shift) << shift;
        }
    }

    /** Parses a time into nanoseconds: a number with ms, s or m, or without a unit in seconds. */
    static final class Time implements ITypeConverter<Long> {
        private static final BigDecimal MAX = BigDecimal.valueOf(Long.MAX_VALUE);
        private static final Pattern FORM = Pattern.compile("(\\d{1,9}(?:\\.\\d{1,9})?)(ms|s|m)?");

        @Override
        public Long convert(final String value) {
            final Matcher matcher = FORM.matcher(value);
            if (!matcher.matches()) {
                throw new TypeConversionException("'" + value + "' is not a time like 10s, 1.5s, 500ms or 2m");
            }
            final String unit = matcher.group(2) == null ? "s" : matcher.group(2);
            final long unitNs = switch (unit) {
                case "ms" -> TimeUnit.MILLISECONDS.toNanos(1);
                case "m" -> TimeUnit.MINUTES.toNanos(1);
                default -> TimeUnit.SECONDS.toNanos(1);
            };
            return new BigDecimal(matcher.group(1)).multiply(BigDecimal.valueOf(unitNs)).min(MAX).longValue();
        }
    }
}
