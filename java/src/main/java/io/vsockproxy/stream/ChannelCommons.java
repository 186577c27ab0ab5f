/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.stream;

import io.vsockproxy.channel.ChannelClaim;
import io.vsockproxy.channel.DescriptorClass;
import io.vsockproxy.channel.PassedDescriptors;
import io.vsockproxy.channel.RemoteFile;
import io.vsockproxy.loop.EventLoop;
import org.agrona.ErrorHandler;
import org.agrona.concurrent.UnsafeBuffer;

/**
 * What all channels of a loop share: the one claim that may be open at a time, and where a component's faults go.
 */
public final class ChannelCommons {
    /** So that a message never needs more than half of the smallest window that a peer of our kind has by default. */
    private static final int MAX_LENGTH = 128 << 10;

    private final EventLoop loop;
    private final ErrorHandler errorHandler;
    private final int maxLength;
    private final UnsafeBuffer nothing = new UnsafeBuffer(0, 0);
    private final PassedDescriptors noDescriptors =
        new ChannelDelivery(new DescriptorClass[0], new AutoCloseable[0]);
    private ChannelClaim openClaim;
    private StreamHandler openClaimHandler;

    /**
     * @param errorHandler    is told what a component's callbacks throw.
     * @param maxPacketLength longest packet that a session has room for, in bytes.
     */
    public ChannelCommons(final EventLoop loop, final ErrorHandler errorHandler, final int maxPacketLength) {
        this.loop = loop;
        this.errorHandler = errorHandler;
        this.maxLength = Math.min(MAX_LENGTH, maxPacketLength);
    }

    /**
     * Runs a component's code: what it throws goes to the error handler, and a claim that it leaves open is aborted.
     */
    public void call(final Runnable callback) {
        try {
            callback.run();
        } catch (final RuntimeException | Error e) {
            errorHandler.onError(e);
        }
        abandonClaim();
    }

    /** Tells a component the outcome of a request about a file. */
    public void complete(
        final RemoteFile.Completion completion, final RemoteFile file, final long correlationId, final long result) {
        try {
            completion.onComplete(file, correlationId, result);
        } catch (final RuntimeException | Error e) {
            errorHandler.onError(e);
        }
        abandonClaim();
    }

    /** A component's code has returned, or a turn begins: aborts a claim that was left open. */
    public void abandonClaim() {
        if (openClaim != null) {
            final int length = openClaim.length();
            openClaimHandler.abort();
            endClaim();
            errorHandler.onError(new IllegalStateException(
                "a claim of " + length + " bytes was neither committed nor aborted in time, and has been aborted"));
        }
    }

    /**
     * A component calls something of a channel.
     *
     * @throws IllegalStateException on another thread than the loop's, or while a claim is open.
     */
    public void check() {
        loop.checkThread();
        if (openClaim != null) {
            throw new IllegalStateException(
                "a claim of " + openClaim.length() + " bytes is open: commit or abort it first");
        }
    }

    void beginClaim(final ChannelClaim claim, final StreamHandler handler) {
        openClaim = claim;
        openClaimHandler = handler;
    }

    void endClaim() {
        openClaim.unwrap();
        openClaim = null;
        openClaimHandler = null;
    }

    ErrorHandler errorHandler() {
        return errorHandler;
    }

    int maxLength() {
        return maxLength;
    }

    /** What goes with bytes that came without descriptors. */
    PassedDescriptors noDescriptors() {
        return noDescriptors;
    }

    /** An empty buffer. */
    UnsafeBuffer nothing() {
        return nothing;
    }
}
