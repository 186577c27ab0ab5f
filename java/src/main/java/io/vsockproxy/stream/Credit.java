/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.stream;

/**
 * Flow control of one stream in both directions: how much may still be sent to the other side, and how much has been
 * taken here that the other side has not been told about. A packet costs {@link #PACKET_OVERHEAD} more than its length,
 * so that empty packets are bounded too. All amounts are in bytes. Confined to the loop's thread.
 *
 * <pre>
 *   sender:    allowance = window - sent + granted          reads its application while that is positive
 *   receiver:  owed      = taken by the application - granted       grants it when half a window is owed
 * </pre>
 */
public final class Credit {
    /** What a packet costs in addition to its bytes. */
    public static final int PACKET_OVERHEAD = 64;

    /** More is as good as no limit. Clamped, because a peer may announce any window, and grant for ever. */
    private static final long MAX_ALLOWANCE = 1L << 40;

    private final boolean packets;
    private final long initialAllowance;
    private long allowance;
    private long window;
    private long owed;
    private boolean readerFellBehind;

    /**
     * @param packets   whether messages are packets, whose boundaries are kept.
     * @param allowance how much the other side allows to be sent initially, in bytes.
     * @param window    how much the other side may send initially, in bytes.
     */
    public Credit(final boolean packets, final long allowance, final long window) {
        this.packets = packets;
        this.allowance = Math.min(allowance, MAX_ALLOWANCE);
        this.initialAllowance = this.allowance;
        this.window = window;
    }

    /** What a message of {@code length} bytes costs. */
    public long cost(final long length) {
        return packets ? length + PACKET_OVERHEAD : length;
    }

    /** The other side's current window for this stream. */
    public long window() {
        return window;
    }

    /** The other side has granted {@code bytes} more. */
    void allow(final long bytes) {
        allowance = Math.min(allowance + bytes, MAX_ALLOWANCE);
    }

    long allowance() {
        return allowance;
    }

    /** How much the other side allowed to be sent initially. */
    long initialAllowance() {
        return initialAllowance;
    }

    void spend(final long cost) {
        allowance -= cost;
    }

    /** Something had to be queued: the reader here would not benefit from a larger window. */
    void readerFellBehind() {
        readerFellBehind = true;
    }

    /**
     * The reader here has taken something that cost {@code cost}.
     *
     * @return whether a grant is due, because half a window is owed: see {@link #takeGrant}.
     */
    public boolean taken(final long cost) {
        owed += cost;
        return owed >= window / 2;
    }

    /** Whether the reader has kept up since the last grant. */
    public boolean readerKeptUp() {
        return !readerFellBehind;
    }

    /** Returns what to grant: everything owed, plus {@code growth}, by which the window grows. */
    public long takeGrant(final long growth) {
        final long grant = owed + growth;
        window += growth;
        owed = 0;
        readerFellBehind = false;
        return grant;
    }
}
