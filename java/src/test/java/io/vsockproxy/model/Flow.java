/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.model;

import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.Deque;

/**
 * What goes from one end of a channel to the other: how much the sender should send, how much of it each world has
 * accepted, and what is on its way.
 */
final class Flow {
    private final long seed;
    private final long[] accepted = new long[World.BOTH.length];
    private final Deque<Item> passed = new ArrayDeque<>();
    private long offered;
    private long received;
    private boolean receiverClosed;
    private boolean cutOff;

    /**
     * @param seed of its bytes, so that another flow's bytes cannot be mistaken for them.
     */
    Flow(final long seed) {
        this.seed = seed;
    }

    /** Bytes that the sender was to send. */
    long offered() {
        return offered;
    }

    void offer(final long count) {
        offered += count;
    }

    /** Bytes that the kernel has taken from the sender. */
    long accepted(final World world) {
        return accepted[world.index()];
    }

    void accept(final World world, final long count) {
        accepted[world.index()] += count;
    }

    /** Bytes still to be sent. */
    long backlog(final World world) {
        return receiverClosed || cutOff ? 0 : offered - accepted(world);
    }

    boolean hasBacklog() {
        return backlog(World.PLAIN) > 0 || backlog(World.PROXIED) > 0;
    }

    /** Bytes that the receiver has. */
    long received() {
        return received;
    }

    void receive(final long count) {
        received += count;
    }

    /** Bytes that are under way. */
    long unreceived() {
        return Math.max(accepted(World.PLAIN), accepted(World.PROXIED)) - received;
    }

    /** Descriptors that the receiver has still to receive, in order. */
    Deque<Item> passed() {
        return passed;
    }

    /** Nobody will receive any more. */
    void receiverClosed() {
        receiverClosed = true;
    }

    /** The sender is gone, maybe in the middle: what the kernel has taken still arrives, and then the end. */
    void senderClosed() {
        cutOff = true;
    }

    /** Whether the worlds differ in how much was sent. */
    boolean isUneven() {
        return cutOff && accepted(World.PLAIN) != accepted(World.PROXIED);
    }

    /** The receiver has got all that each world had taken. */
    void evenOut() {
        offered = Math.max(accepted(World.PLAIN), accepted(World.PROXIED));
        received = offered;
        Arrays.fill(accepted, offered);
    }

    /** The bytes from {@code position} on. */
    byte[] bytes(final long position, final int length) {
        final byte[] bytes = new byte[length];
        long word = 0;
        for (int i = 0; i < length; i++) {
            final long at = position + i;
            if (i == 0 || (at & 7) == 0) {
                word = mix(seed + (at >>> 3));
            }
            bytes[i] = (byte) (word >>> ((at & 7) * 8));
        }
        return bytes;
    }

    /** SplitMix64's finalizer. */
    private static long mix(final long value) {
        long mixed = value * 0x9E3779B97F4A7C15L;
        mixed = (mixed ^ (mixed >>> 30)) * 0xBF58476D1CE4E5B9L;
        mixed = (mixed ^ (mixed >>> 27)) * 0x94D049BB133111EBL;
        return mixed ^ (mixed >>> 31);
    }
}
