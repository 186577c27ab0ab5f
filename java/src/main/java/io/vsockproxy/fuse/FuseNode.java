/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.fuse;

import io.vsockproxy.posix.Constants;
import io.vsockproxy.posix.FileAttributes;

/**
 * One file that was given out, as the kernel knows it: from the making of its name to the kernel's last FORGET.
 *
 * <p>Its backend is released when no open file is left and none can come. Loop's thread only.
 */
final class FuseNode {
    private static final int FOPEN_FLAGS = FuseProtocol.FOPEN_DIRECT_IO
        | FuseProtocol.FOPEN_NOFLUSH
        | FuseProtocol.FOPEN_PARALLEL_DIRECT_WRITES;
    private static final int STREAM_FOPEN_FLAGS =
        FOPEN_FLAGS | FuseProtocol.FOPEN_STREAM | FuseProtocol.FOPEN_NONSEEKABLE;
    private static final int READ_PERMISSION = 0400;
    private static final int WRITE_PERMISSION = 0200;

    private final long id;
    private final int flags;
    private final FuseName name;
    private final long openedNs;
    private final boolean stream;
    private final FileAttributes attributes = new FileAttributes();
    private FileBackend backend;
    private long lookups;
    private int openFiles;
    private boolean opening = true;

    /**
     * @param flags    of open(2): the access that is granted.
     * @param openedNs when it is given out, in nanoseconds since 1970: what its times are if its owner tells none.
     */
    FuseNode(
        final long id,
        final FuseName name,
        final int flags,
        final FileBackend backend,
        final long openedNs) {
        this.id = id;
        this.name = name;
        this.flags = flags;
        this.backend = backend;
        this.openedNs = openedNs;
        stream = backend != null && backend.isStream();
        setSizeOnly(0);
    }

    /** The kernel's node number, which is the inode number too. */
    long id() {
        return id;
    }

    /** What it can be looked up by until it is open. */
    FuseName name() {
        return name;
    }

    /** What is to be shown: what its owner has last told, or as much of it as is known. */
    FileAttributes attributes() {
        return attributes;
    }

    /** The owner has told what its attributes are. */
    void onExamined(final FileAttributes seen) {
        if (seen.isComplete()) {
            attributes.set(seen);
        } else {
            setSizeOnly(seen.size());
        }
    }

    /** It has been cut or extended to {@code size} bytes; what else that has changed will be asked for when needed. */
    void onTruncated(final long size) {
        attributes.set(size, attributes.mode(), attributes.links(), attributes.blocks(),
            attributes.accessTimeNs(), attributes.modificationTimeNs(), attributes.changeTimeNs());
    }

    /** Who answers, or null once released. */
    FileBackend backend() {
        return backend;
    }

    boolean isReadable() {
        return (flags & Constants.O_ACCMODE) != Constants.O_WRONLY;
    }

    boolean isWritable() {
        return (flags & Constants.O_ACCMODE) != Constants.O_RDONLY;
    }

    /** See {@link FileBackend#isStream}. */
    boolean isStream() {
        return stream;
    }

    /** FOPEN_ bits: what an open file of it is like. */
    int fopenFlags() {
        return stream ? STREAM_FOPEN_FLAGS : FOPEN_FLAGS;
    }

    boolean isAppending() {
        return (flags & Constants.O_APPEND) != 0;
    }

    /** Whether another open file with {@code openFlags} may do no more than what was granted. */
    boolean allows(final int openFlags) {
        final int access = openFlags & Constants.O_ACCMODE;
        return (access == Constants.O_RDONLY || isWritable()) && (access == Constants.O_WRONLY || isReadable());
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

    /** Shows what is granted and when it was given out, for want of anything better. */
    private void setSizeOnly(final long size) {
        final int permissions = (isReadable() ? READ_PERMISSION : 0) | (isWritable() ? WRITE_PERMISSION : 0);
        final long blocks = size / FuseAttributes.SECTOR + (size % FuseAttributes.SECTOR == 0 ? 0 : 1);
        attributes.set(size, Constants.S_IFREG | permissions, 1, blocks, openedNs, openedNs, openedNs);
    }
}
