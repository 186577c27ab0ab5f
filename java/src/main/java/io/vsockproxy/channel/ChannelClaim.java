/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.channel;

import org.agrona.MutableDirectBuffer;
import org.agrona.concurrent.UnsafeBuffer;

/**
 * A place in a ring to write a message to, from where it is sent without another copy: a flyweight that one caller uses
 * again and again.
 *
 * <p>Confined to the thread that claims.
 */
public final class ChannelClaim {
    /** The owner of the ring. For the engine only. */
    public interface Owner {
        /** Sends the first {@code length} bytes of the claim. */
        void commit(ChannelClaim claim, int length);

        /** Gives the claim up: nothing is sent. */
        void abort(ChannelClaim claim);
    }

    private final UnsafeBuffer buffer = new UnsafeBuffer(0, 0);
    private Owner owner;

    /** The claimed bytes: index 0 to the capacity of this buffer, which is 0 when there is no open claim. */
    public MutableDirectBuffer buffer() {
        return buffer;
    }

    /** How many bytes are claimed. */
    public int length() {
        return buffer.capacity();
    }

    /** Whether there is a claim that has been neither committed nor aborted. */
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
     * @throws IllegalArgumentException when {@code length} is less than 1 or more than was claimed.
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

    /** For the engine only: makes this the claim of {@code length} bytes at {@code address}. */
    public void wrap(final Owner newOwner, final long address, final int length) {
        owner = newOwner;
        buffer.wrap(address, length);
    }

    /** For the engine only: ends the claim. */
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
