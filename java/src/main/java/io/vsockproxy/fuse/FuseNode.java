/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.fuse;

import io.vsockproxy.posix.Constants;
import io.vsockproxy.posix.FileAttributes;

/**
 * One file of the mount as the kernel knows it, from its creation to the kernel's last FORGET.
 *
 * <p>Its backend is released when no open file is left and none can come any more. Confined to the loop's thread.
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
     * @param flags    flags of open(2): the access that is granted.
     * @param openedNs the present time in nanoseconds since 1970, shown as the file's times if its owner sends none.
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

    /** The name by which it can be looked up until it is open. */
    FuseName name() {
        return name;
    }

    /** The attributes to show: those the owner has sent last, as far as they are known. */
    FileAttributes attributes() {
        return attributes;
    }

    /** The owner has sent the file's attributes. */
    void onExamined(final FileAttributes seen) {
        if (seen.isComplete()) {
            attributes.set(seen);
        } else {
            setSizeOnly(seen.size());
        }
    }

    /**
     * The file has been truncated or extended to {@code size} bytes. Other attributes that this has changed are asked
     * for when needed.
     */
    void onTruncated(final long size) {
        attributes.set(size, attributes.mode(), attributes.links(), attributes.blocks(),
            attributes.accessTimeNs(), attributes.modificationTimeNs(), attributes.changeTimeNs());
    }

    /** The backend that serves it, or null once released. */
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

    /** The FOPEN_ flags of its open files. */
    int fopenFlags() {
        return stream ? STREAM_FOPEN_FLAGS : FOPEN_FLAGS;
    }

    boolean isAppending() {
        return (flags & Constants.O_APPEND) != 0;
    }

    /** Whether opening it with {@code openFlags} asks for no more access than was granted. */
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

    /** The opener's open(2) has ended, successfully or not: from now on it cannot be opened by name. */
    void onOpenEnded() {
        opening = false;
    }

    /** Whether it still has a backend, but nobody can reach it any more. */
    boolean isUnreachable() {
        return backend != null && openFiles == 0 && !opening;
    }

    /** Whether neither the kernel nor a backend refers to it any more. */
    boolean isGone() {
        return backend == null && lookups == 0;
    }

    /** Releases the backend. Idempotent. */
    void release() {
        final FileBackend released = backend;
        if (released != null) {
            backend = null;
            released.released();
        }
    }

    /** When only the size is known, shows the granted access as the mode, and the time of opening as all times. */
    private void setSizeOnly(final long size) {
        final int permissions = (isReadable() ? READ_PERMISSION : 0) | (isWritable() ? WRITE_PERMISSION : 0);
        final long blocks = size / FuseAttributes.SECTOR + (size % FuseAttributes.SECTOR == 0 ? 0 : 1);
        attributes.set(size, Constants.S_IFREG | permissions, 1, blocks, openedNs, openedNs, openedNs);
    }
}
