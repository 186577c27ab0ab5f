/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.link;

import org.agrona.MutableDirectBuffer;

/**
 * The last bytes of a frame, when they lie outside the {@link OutboundRing}, such as a range of a mapped file.
 *
 * <p>Such bytes can disappear between the commit, which promises a length, and the send: anybody may truncate a mapped
 * file. The ring then asks how much is left. If nothing of the frame has been sent, it has the header written again;
 * otherwise it replaces what is missing with zeros.
 *
 * <p>Called on the loop's thread; no method may use the ring.
 */
public interface ExternalPiece {
    /** The address of the first byte. */
    long address();

    /** How many bytes the frame's header promises. */
    int length();

    /**
     * How many of them, counted from the first, can be read now.
     *
     * @return up to {@link #length}, or {@code -errno}.
     */
    int readableLength();

    /**
     * Writes the frame's header again, ending at the same place, for a frame that is no longer than before.
     *
     * @param from   index of the header's first byte so far.
     * @param to     index after the header's last byte.
     * @param length how many bytes will follow the header; 0 for none, or the {@code -errno} to report instead.
     * @return index of its first byte now, {@code from} or higher.
     */
    int reframe(MutableDirectBuffer buffer, int from, int to, int length);

    /** The bytes have been sent or discarded and are not needed any more. Called once. */
    void release();
}
