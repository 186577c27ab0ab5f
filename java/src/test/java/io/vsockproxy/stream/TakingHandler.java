/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.stream;

import io.vsockproxy.posix.ControlData;
import io.vsockproxy.posix.Memory;
import io.vsockproxy.posix.SplicePipe;
import java.util.ArrayList;
import java.util.List;

/** A session that takes what it is given, and closes what ends. */
class TakingHandler implements StreamHandler, AutoCloseable {
    private static final int LENGTH = 1 << 20;

    private final Memory memory = Memory.allocate(LENGTH);
    private final List<Long> ended = new ArrayList<>();
    private int taken;
    private int room = Integer.MAX_VALUE;

    /** There is room for no more than {@code length} bytes in all, from now on. */
    final void room(final int length) {
        room = length;
    }

    /** How many bytes have been read. */
    final int taken() {
        return taken;
    }

    /** The handles of those that ended, in order. */
    final List<Long> ended() {
        return ended;
    }

    @Override
    public final int claim(final Stream stream, final int minimum, final int maximum) {
        final int left = Math.min(Math.min(maximum, LENGTH), room - taken);
        return left < minimum ? 0 : left;
    }

    @Override
    public final long claimedAddress() {
        return memory.address();
    }

    @Override
    public void commit(final Stream stream, final int length, final ControlData control) {
        taken += length;
    }

    @Override
    public boolean takesSplices() {
        return false;
    }

    @Override
    public SplicePipe claimPipe(final Stream stream, final int length) {
        throw new AssertionError("asked for a pipe that there is not");
    }

    @Override
    public void commitPipe(final Stream stream, final int length) {
        throw new AssertionError("asked for a pipe that there is not");
    }

    @Override
    public final String obstacle(final ControlData control) {
        return null;
    }

    @Override
    public final void abort() {
        // Nothing to be undone.
    }

    @Override
    public final void onEnded(final Stream stream, final int errno) {
        ended.add(stream.handle());
        stream.close();
    }

    @Override
    public final void onEndOfFile(final Stream stream) {
        onEnded(stream, 0);
    }

    @Override
    public final void onReaderGone(final Stream stream, final boolean shut) {
        // Not needed for reading only.
    }

    @Override
    public final void onTaken(final Stream stream, final long cost) {
        // There is no flow control.
    }

    @Override
    public final void onQueueShrunk(final int length, final int descriptors) {
        // There is no bound.
    }

    @Override
    public final void close() {
        memory.close();
    }
}
