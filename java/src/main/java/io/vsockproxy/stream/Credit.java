/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.stream;

/**
 * Flow control of one stream, both ways: what may still be sent to the other side, and what it is to be told that has
 * been taken here. A packet costs {@link #PACKET_OVERHEAD} more than its length, so that empty ones are bounded too.
 *
 * <pre>
 *   sender:    allowance = window - sent + granted          reads its application while that is positive
 *   receiver:  owed      = taken by the application - granted       grants it when half a window is owed
 * </pre>
 */
public final class Credit {
    /** What a packet costs beside its bytes. */
    public static final int PACKET_OVERHEAD = 64;

    /** More than this is as good as no limit; a peer may claim to have any window, and grant for ever. */
    private static final long MAX_ALLOWANCE = 1L << 40;

    private final boolean packets;
    private final long initialAllowance;
    private long allowance;
    private long window;
    private long owed;
    private boolean readerFellBehind;

    /**
     * @param packets   whether boundaries are kept.
     * @param allowance what the other side lets be sent at first, in bytes.
     * @param window    what it is let send at first.
     */
    public Credit(final boolean packets, final long allowance, final long window) {
        this.packets = packets;
        this.allowance = Math.min(allowance, MAX_ALLOWANCE);
        this.initialAllowance = this.allowance;
        this.window = window;
    }

    /** What one message of {@code length} bytes costs. */
    public long cost(final long length) {
        return packets ? length + PACKET_OVERHEAD : length;
    }

    /** The window that the other side has for this stream now. */
    public long window() {
        return window;
    }

    /** The other side's reader has taken {@code bytes}. */
    void allow(final long bytes) {
        allowance = Math.min(allowance + bytes, MAX_ALLOWANCE);
    }

    long allowance() {
        return allowance;
    }

    /** What the other side let be sent at first. */
    long initialAllowance() {
        return initialAllowance;
    }

    void spend(final long cost) {
        allowance -= cost;
    }

    /** Something had to be queued: the reader here is no match for a larger window. */
    void readerFellBehind() {
        readerFellBehind = true;
    }

    /**
     * The reader here has taken something that cost {@code cost}.
     *
     * @return whether a grant is due: see {@link #takeGrant}.
     */
    public boolean taken(final long cost) {
        owed += cost;
        return owed >= window / 2;
    }

    /** Whether the reader has kept up since the last grant. */
    public boolean readerKeptUp() {
        return !readerFellBehind;
    }

    /** What to grant: all that is owed, and {@code growth} by which the window is to grow. */
    public long takeGrant(final long growth) {
        final long grant = owed + growth;
        window += growth;
        owed = 0;
        readerFellBehind = false;
        return grant;
    }
}
