/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.link;

import org.agrona.MutableDirectBuffer;

/**
 * Bytes that end a frame and lie outside the {@link OutboundRing}, such as a range of a mapped file.
 *
 * <p>Between the commit, which promises a length, and the send, such bytes can go: a mapped file may be cut by anybody.
 * The ring then asks how much is left and either has the header written again, as long as nothing of the frame has
 * gone, or makes up for what is missing with zeros.
 *
 * <p>Called on the loop's thread; no method may use the ring.
 */
public interface ExternalPiece {
    /** The first byte. */
    long address();

    /** How many bytes were promised. */
    int length();

    /**
     * How many of them, from the first on, can be read now.
     *
     * @return {@link #length}, less, or {@code -errno}.
     */
    int readableLength();

    /**
     * Writes the frame's header again, to end where it ended, for a frame that is not longer than before.
     *
     * @param from   where the header began.
     * @param to     where it ends.
     * @param length bytes that will follow it; or, when none will, 0 or the {@code -errno} to be reported instead.
     * @return where it begins now, {@code from} or later.
     */
    int reframe(MutableDirectBuffer buffer, int from, int to, int length);

    /** The bytes are not needed any more: they were sent or discarded. Called once. */
    void release();
}
