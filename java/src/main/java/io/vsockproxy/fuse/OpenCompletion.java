/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.fuse;

import io.vsockproxy.posix.OwnedFd;

/**
 * Is told how a {@link FuseMount#open} ended: one of the two, once, on the loop's thread.
 */
public interface OpenCompletion {
    /**
     * The file is open.
     *
     * @param descriptor the callee's to pass on or to close; to be closed by {@link FuseMount#dispose} only.
     */
    void onOpened(OwnedFd descriptor);

    /**
     * It could not be opened: EMFILE, EIO at the end of the mount. {@link FileBackend#released} comes next.
     *
     * @param errno positive.
     */
    void onFailed(int errno);
}
