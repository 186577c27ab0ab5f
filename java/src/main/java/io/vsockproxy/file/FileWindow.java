/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.file;

import io.vsockproxy.posix.Syscalls;
import org.agrona.UnsafeApi;

/**
 * One aligned range of a file, mapped shared and read-only. It may reach beyond the file's end: what the file grows
 * into later is there at once.
 *
 * <p>Pinned while an unsent answer lies in it. As a task it unmaps itself: taking down thousands of pages would hold up
 * the loop.
 */
final class FileWindow extends FileTask {
    /** Bytes of a page. */
    static final int PAGE_LENGTH = UnsafeApi.pageSize();
    /** No file is mapped beyond this offset, so that no sum overflows. */
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

    /** {@code offset} or the next one that a page begins at. */
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
