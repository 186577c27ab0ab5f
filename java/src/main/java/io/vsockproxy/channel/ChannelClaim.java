/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.channel;

import org.agrona.MutableDirectBuffer;
import org.agrona.concurrent.UnsafeBuffer;

/**
 * A place in a ring to write a message to, where it is sent from: a flyweight that one caller uses again and again.
 *
 * <p>Confined to the thread that claims.
 */
public final class ChannelClaim {
    /** Whose the ring is. For the engine. */
    public interface Owner {
        /** The first {@code length} bytes of the claim are to be sent. */
        void commit(ChannelClaim claim, int length);

        /** Nothing is to be sent. */
        void abort(ChannelClaim claim);
    }

    private final UnsafeBuffer buffer = new UnsafeBuffer(0, 0);
    private Owner owner;

    /** The claimed bytes, from index 0 to its capacity; empty when there is no claim. */
    public MutableDirectBuffer buffer() {
        return buffer;
    }

    /** How many bytes are claimed. */
    public int length() {
        return buffer.capacity();
    }

    /** Whether there is a claim to commit or to abort. */
    public boolean isOpen() {
        return owner != null;
    }

    /**
     * Sends all of the claimed bytes.
     *
     * @throws IllegalStateException when there is no claim.
     */
    public void commit() {
        commit(buffer.capacity());
    }

    /**
     * Sends the first {@code length} of the claimed bytes, at least 1.
     *
     * @throws IllegalStateException    when there is no claim.
     * @throws IllegalArgumentException when {@code length} is more than was claimed.
     */
    public void commit(final int length) {
        if (length < 1 || length > buffer.capacity()) {
            final int capacity = buffer.capacity();
            present();
            throw new IllegalArgumentException("commit length=" + length + ", claimed=" + capacity);
        }
        present().commit(this, length);
    }

    /**
     * Gives the claim up.
     *
     * @throws IllegalStateException when there is none.
     */
    public void abort() {
        present().abort(this);
    }

    /** For the engine: makes this the claim of {@code length} bytes at {@code address}. */
    public void wrap(final Owner newOwner, final long address, final int length) {
        owner = newOwner;
        buffer.wrap(address, length);
    }

    /** For the engine: the claim is over. */
    public void unwrap() {
        owner = null;
        buffer.wrap(0, 0);
    }

    private Owner present() {
        if (owner == null) {
            throw new IllegalStateException("there is no claim: it was committed, aborted, or left open too long");
        }
        return owner;
    }
}
