/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.fuse;

import io.vsockproxy.posix.OwnedFd;

/**
 * Called with the outcome of a {@link FuseMount#open}: one of these methods, once, on the loop's thread.
 */
public interface OpenCompletion {
    /**
     * The file is open.
     *
     * @param descriptor the descriptor. Takes ownership; this process must close it only by {@link FuseMount#dispose}.
     */
    void onOpened(OwnedFd descriptor);

    /**
     * The file could not be opened. {@link FileBackend#released} is called next.
     *
     * @param errno positive: EMFILE; EIO at the end of the mount.
     */
    void onFailed(int errno);
}
