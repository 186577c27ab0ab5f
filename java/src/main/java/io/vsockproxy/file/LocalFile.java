/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.file;

import io.vsockproxy.posix.OwnedFd;
import java.util.ArrayDeque;

/**
 * A regular file that the other side may use, and the requests for it that could not be answered at once, in order.
 *
 * <p>Owns the descriptor, which a worker closes after the last request: close(2) may wait for a disk as well.
 */
public final class LocalFile {
    private final OwnedFd descriptor;
    private final ArrayDeque<FileRequest> requests = new ArrayDeque<>();
    private boolean localFileSystem;
    private boolean waitingForRoom;
    private boolean closed;

    /**
     * @param descriptor takes ownership.
     */
    public LocalFile(final OwnedFd descriptor) {
        this.descriptor = descriptor;
    }

    OwnedFd descriptor() {
        return descriptor;
    }

    int fd() {
        return descriptor.fd();
    }

    /** Requests not yet answered; the first may be with a worker. */
    ArrayDeque<FileRequest> requests() {
        return requests;
    }

    /** Whether its attributes are known to be in memory, so that asking for them cannot block. */
    boolean isLocalFileSystem() {
        return localFileSystem;
    }

    void localFileSystem(final boolean isLocal) {
        localFileSystem = isLocal;
    }

    boolean isWaitingForRoom() {
        return waitingForRoom;
    }

    void waitingForRoom(final boolean isWaiting) {
        waitingForRoom = isWaiting;
    }

    boolean isClosed() {
        return closed;
    }

    void markClosed() {
        closed = true;
    }
}
