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
 * What all channels of a loop share: the one claim that may be open at a time, and the handler of components'
 * exceptions. Confined to the loop's thread, except {@link #check}.
 */
public final class ChannelCommons {
    /** In bytes: half of the window that a peer with the extension initially grants by default. */
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
     * @param errorHandler    is called with what a component's callbacks throw.
     * @param maxPacketLength the longest packet that a session can send, in bytes.
     */
    public ChannelCommons(final EventLoop loop, final ErrorHandler errorHandler, final int maxPacketLength) {
        this.loop = loop;
        this.errorHandler = errorHandler;
        this.maxLength = Math.min(MAX_LENGTH, maxPacketLength);
    }

    /**
     * Runs a component's callback. What it throws goes to the error handler, and a claim that it leaves open is
     * aborted.
     */
    public void call(final Runnable callback) {
        try {
            callback.run();
        } catch (final RuntimeException | Error e) {
            errorHandler.onError(e);
        }
        abandonClaim();
    }

    /** Calls a component with the outcome of a file request, guarded as {@link #call}. */
    public void complete(
        final RemoteFile.Completion completion, final RemoteFile file, final long correlationId, final long result) {
        try {
            completion.onComplete(file, correlationId, result);
        } catch (final RuntimeException | Error e) {
            errorHandler.onError(e);
        }
        abandonClaim();
    }

    /**
     * Aborts a claim that was left open. To be called when a component's callback has returned, and at the beginning of
     * each turn.
     */
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
     * To be called first by every method that a component calls. Any thread.
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

    /** No descriptors, to pass with bytes that came without any. */
    PassedDescriptors noDescriptors() {
        return noDescriptors;
    }

    /** An empty buffer. */
    UnsafeBuffer nothing() {
        return nothing;
    }
}
