/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.file;

import io.vsockproxy.posix.Syscalls;
import org.agrona.UnsafeApi;

/**
 * One aligned range of a file, mapped shared and read-only. It may reach beyond the file's end: when the file grows,
 * the new bytes appear in it at once.
 *
 * <p>Pinned while an unsent answer lies in it. As a task for a worker it unmaps itself, because unmapping thousands of
 * pages would hold up the loop.
 */
final class FileWindow extends FileTask {
    /** The length of a page, in bytes. */
    static final int PAGE_LENGTH = UnsafeApi.pageSize();
    /** Files are not mapped beyond this offset, so that no sum overflows. */
    static final long MAX_MAPPED_OFFSET = Long.MAX_VALUE >> 1;

    final LocalFile file;
    final long offset;
    final long address;
    int pins;
    FileWindow lessRecent;
    FileWindow moreRecent;
    private final FileWindows owner;

    FileWindow(final FileWindows owner, final LocalFile file, final long offset, final long address) {
        this.owner = owner;
        this.file = file;
        this.offset = offset;
        this.address = address;
    }

    /** Rounds {@code offset} up to the beginning of a page. */
    static long roundUp(final long offset) {
        return (offset + PAGE_LENGTH - 1) & -PAGE_LENGTH;
    }

    @Override
    void perform() {
        Syscalls.munmap(address, owner.windowLength());
    }

    @Override
    void completed() {
        owner.onUnmapped();
    }
}
