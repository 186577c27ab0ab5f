/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.fuse;

import io.vsockproxy.posix.Constants;

/**
 * One file that was given out, as the kernel knows it: from the making of its name to the kernel's last FORGET.
 *
 * <p>Its backend is released when no open file is left and none can come. Loop's thread only.
 */
final class FuseNode {
    private static final int READ_PERMISSION = 0400;
    private static final int WRITE_PERMISSION = 0200;

    private final long id;
    private final int flags;
    private final FuseName name;
    private final long openedSeconds;
    private final int openedNanoseconds;
    private FileBackend backend;
    private long lookups;
    private int openFiles;
    private boolean opening = true;
    private long sizeWhenOpened;

    /**
     * @param flags of open(2): the access that is granted.
     */
    FuseNode(
        final long id,
        final FuseName name,
        final int flags,
        final FileBackend backend,
        final long openedSeconds,
        final int openedNanoseconds) {
        this.id = id;
        this.name = name;
        this.flags = flags;
        this.backend = backend;
        this.openedSeconds = openedSeconds;
        this.openedNanoseconds = openedNanoseconds;
    }

    /** The kernel's node number, which is the inode number too. */
    long id() {
        return id;
    }

    /** What it can be looked up by until it is open. */
    FuseName name() {
        return name;
    }

    /** When it was given out, which is all that its timestamps say. */
    long openedSeconds() {
        return openedSeconds;
    }

    int openedNanoseconds() {
        return openedNanoseconds;
    }

    /** Who answers, or null once released. */
    FileBackend backend() {
        return backend;
    }

    /** The size in bytes to show before anybody asks for it. */
    long sizeWhenOpened() {
        return sizeWhenOpened;
    }

    void sizeWhenOpened(final long size) {
        sizeWhenOpened = size;
    }

    boolean isReadable() {
        return (flags & Constants.O_ACCMODE) != Constants.O_WRONLY;
    }

    boolean isWritable() {
        return (flags & Constants.O_ACCMODE) != Constants.O_RDONLY;
    }

    boolean isAppending() {
        return (flags & Constants.O_APPEND) != 0;
    }

    /** Whether another open file with {@code openFlags} may do no more than what was granted. */
    boolean allows(final int openFlags) {
        final int access = openFlags & Constants.O_ACCMODE;
        return (access == Constants.O_RDONLY || isWritable()) && (access == Constants.O_WRONLY || isReadable());
    }

    /** st_mode. */
    int mode() {
        return Constants.S_IFREG | (isReadable() ? READ_PERMISSION : 0) | (isWritable() ? WRITE_PERMISSION : 0);
    }

    void onLookedUp() {
        lookups++;
    }

    void onForgotten(final long count) {
        lookups = Math.max(0, lookups - count);
    }

    void onFileOpened() {
        openFiles++;
    }

    void onFileReleased() {
        openFiles = Math.max(0, openFiles - 1);
    }

    /** The worker's open(2) has ended, one way or the other: nobody can come by name any more. */
    void onOpenEnded() {
        opening = false;
    }

    /** Whether there is a backend that nobody can reach any more. */
    boolean isUnreachable() {
        return backend != null && openFiles == 0 && !opening;
    }

    /** Whether neither the kernel nor the backend knows it any more. */
    boolean isGone() {
        return backend == null && lookups == 0;
    }

    /** Tells the backend that it was the last; nothing when it was told before. */
    void release() {
        final FileBackend released = backend;
        if (released != null) {
            backend = null;
            released.released();
        }
    }
}
