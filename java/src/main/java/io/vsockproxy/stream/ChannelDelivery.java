/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.stream;

import io.vsockproxy.channel.ChannelHandler;
import io.vsockproxy.channel.DescriptorClass;
import io.vsockproxy.channel.PassedDescriptors;
import io.vsockproxy.channel.RemoteFile;
import io.vsockproxy.posix.OwnedFd;
import java.util.Objects;

/**
 * Descriptors on their way to a channel's component. Owns those that the component has not taken.
 */
public final class ChannelDelivery extends Delivery implements PassedDescriptors {
    /** Marks a descriptor that is in {@link #owned}. */
    private static final int THERE = 0;

    private final DescriptorClass[] kinds;
    private final AutoCloseable[] owned;

    /**
     * @param kinds what each of the originals is.
     * @param owned for each of them an {@link OwnedFd}, a {@link RemoteFile} for a regular file, a {@link
     *              ChannelStream} not yet taken, or null for one still to be supplied. Takes ownership.
     */
    public ChannelDelivery(final DescriptorClass[] kinds, final AutoCloseable[] owned) {
        super(missing(owned));
        this.kinds = kinds;
        this.owned = owned;
    }

    @Override
    public int count() {
        return kinds.length;
    }

    @Override
    public DescriptorClass kind(final int index) {
        return kinds[index];
    }

    @Override
    public OwnedFd take(final int index) {
        if (owned[index] instanceof OwnedFd descriptor) {
            owned[index] = null;
            return descriptor;
        }
        throw notThere(index);
    }

    @Override
    public RemoteFile takeFile(final int index) {
        if (owned[index] instanceof RemoteFile file) {
            owned[index] = null;
            return file;
        }
        throw notThere(index);
    }

    @Override
    public void takeChannel(final int index, final ChannelHandler handler) {
        Objects.requireNonNull(handler, "handler");
        if (!(owned[index] instanceof ChannelStream socket)) {
            throw notThere(index);
        }
        socket.checkThread();
        owned[index] = null;
        socket.takenBy(handler);
    }

    @Override
    void put(final int index, final OwnedFd descriptor) {
        owned[index] = descriptor;
    }

    @Override
    void closeThere() {
        for (int i = 0; i < owned.length; i++) {
            if (owned[i] instanceof OwnedFd descriptor) {
                descriptor.close();
            } else if (owned[i] instanceof RemoteFile file) {
                file.close();
            } else if (owned[i] instanceof ChannelStream socket) {
                socket.nobodysAnyMore();
            }
            owned[i] = null;
        }
    }

    private IllegalStateException notThere(final int index) {
        return new IllegalStateException("descriptor " + (index + 1) + " of " + owned.length + " (" + kinds[index]
            + ") " + (owned[index] == null ? "has been taken" : "is not of that sort"));
    }

    private static int[] missing(final AutoCloseable[] owned) {
        final int[] missing = new int[owned.length];
        for (int i = 0; i < owned.length; i++) {
            missing[i] = owned[i] == null ? MISSING : THERE;
        }
        return missing;
    }
}
