/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.session;

/**
 * How many bytes of a session's writes may be under way to the owners of their files. Together the windows of a
 * session, with the write by which each may be exceeded, are as large as what the other side keeps by default while it
 * waits for disks ({@code maxPendingFileWriteLength}), so that it refuses none of them.
 *
 * <p>If it refuses one all the same, the window is closed until another one has been written, or until a {@link
 * #probe}, and then grows again. Confined to the loop's thread.
 */
final class WriteWindow {
    /** In bytes, for pages that the kernel writes back from mappings. */
    static final long WRITE_BACK_LENGTH = 8L << 20;
    /** In bytes, for what applications write themselves. */
    static final long OWN_LENGTH = 22L << 20;

    private final long maxLength;
    private long limit;
    private long underWay;

    /**
     * @param maxLength how large it is in bytes, as long as nothing is refused.
     */
    WriteWindow(final long maxLength) {
        this.maxLength = maxLength;
        limit = maxLength;
    }

    /** Whether one more write may be sent, however long: a long one must not wait longer than short ones. */
    boolean isOpen() {
        return underWay < limit;
    }

    /** A write of {@code length} bytes is under way. */
    void onSent(final int length) {
        underWay += length;
    }

    /** It has been answered: {@code written} of its bytes have been written, or it has failed. */
    void onAnswered(final int length, final long written) {
        underWay -= length;
        limit = Math.min(maxLength, limit + 2 * written);
    }

    /** It has been refused, because the other side keeps too much already. */
    void onRefused(final int length) {
        underWay -= length;
        limit = 0;
    }

    /** Lets one more write be sent if the window is closed, to find out whether it is still refused. */
    void probe() {
        limit = Math.min(maxLength, Math.max(limit, underWay + 1));
    }
}
