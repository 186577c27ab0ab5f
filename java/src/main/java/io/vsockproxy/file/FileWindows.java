/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.file;

import io.vsockproxy.posix.Constants;
import io.vsockproxy.posix.Errno;
import io.vsockproxy.posix.Memory;
import io.vsockproxy.posix.Syscalls;

/**
 * The mapped windows of all files of one proxy, in the order of their last use.
 *
 * <p>Together they take no more than a fixed amount of address space, including windows that are still being unmapped.
 * When a new window would exceed that, a worker unmaps the least recently used window that is not pinned, and the read
 * that wanted the new one copies instead of waiting. Confined to the loop's thread.
 */
public final class FileWindows implements AutoCloseable {
    /** The most address space for all windows together, in bytes. */
    public static final long DEFAULT_MAX_MAPPED_LENGTH = 4L << 30;
    /** The length of a window, in bytes. */
    public static final int DEFAULT_WINDOW_LENGTH = 64 << 20;

    private final FileWorkers workers;
    private final long maxMappedLength;
    private final int windowLength;
    private final Memory residency;
    private long mappedLength;
    private int unmapping;
    private FileWindow leastRecent;
    private FileWindow mostRecent;

    /** With the default bounds. */
    public FileWindows(final FileWorkers workers) {
        this(workers, DEFAULT_MAX_MAPPED_LENGTH, DEFAULT_WINDOW_LENGTH);
    }

    /**
     * @param maxMappedLength bytes of address space for all windows together; if less than one window, nothing is
     *                        mapped.
     * @param windowLength    the length of a window in bytes, a multiple of the page size.
     */
    public FileWindows(final FileWorkers workers, final long maxMappedLength, final int windowLength) {
        if (windowLength <= 0 || windowLength % FileWindow.PAGE_LENGTH != 0) {
            throw new IllegalArgumentException(
                "windowLength=" + windowLength + ", page length=" + FileWindow.PAGE_LENGTH);
        }
        this.workers = workers;
        this.maxMappedLength = maxMappedLength;
        this.windowLength = windowLength;
        residency = Memory.allocate(windowLength / FileWindow.PAGE_LENGTH + Long.BYTES);
    }

    /** Bytes of address space in use, including windows that are being unmapped. */
    public long mappedLength() {
        return mappedLength;
    }

    /** Frees the bookkeeping. The windows are unmapped when their files are closed. */
    @Override
    public void close() {
        residency.close();
    }

    int windowLength() {
        return windowLength;
    }

    /**
     * The window that contains [{@code offset}, {@code offset + length}) of the file, mapped if necessary, and pinned.
     *
     * @return null when the range spans two windows, when there is no room for another window, or when the kernel
     *     refuses.
     */
    FileWindow pin(final LocalFile file, final long offset, final int length) {
        final long start = offset - offset % windowLength;
        if (offset + length - start > windowLength) {
            return null;
        }
        FileWindow window = file.window(start);
        if (window == null) {
            window = map(file, start);
            if (window == null) {
                return null;
            }
        } else {
            unlink(window);
        }
        link(window);
        window.pins++;
        return window;
    }

    /** An answer no longer needs the window. */
    void unpin(final FileWindow window) {
        window.pins--;
    }

    /**
     * Whether all pages of the range are in memory, so that reading them does not wait for a disk. Only for a file
     * about which mincore(2) tells the truth. The kernel may still reclaim a page between this check and the send; but
     * a page just found resident was recently used, so that takes memory pressure at this very moment, and only a copy
     * could prevent it.
     */
    boolean isResident(final FileWindow window, final long offset, final int length) {
        final long from = (offset - window.offset) & -FileWindow.PAGE_LENGTH;
        final long to = FileWindow.roundUp(offset - window.offset + length);
        final int pages = (int) ((to - from) / FileWindow.PAGE_LENGTH);
        if (Syscalls.mincore(window.address + from, to - from, residency.address()) < 0) {
            return false;
        }
        return allResident(pages);
    }

    /** Has a worker unmap all windows of a file that is to be closed. None of them may be pinned. */
    void forget(final LocalFile file) {
        for (FileWindow window = file.takeWindow(); window != null; window = file.takeWindow()) {
            unlink(window);
            unmap(window);
        }
    }

    void onUnmapped() {
        mappedLength -= windowLength;
        unmapping--;
    }

    private boolean allResident(final int pages) {
        int page = 0;
        // Bit 0 of each byte tells; eight pages at a time.
        for (; page + Long.BYTES <= pages; page += Long.BYTES) {
            if ((residency.buffer().getLong(page) & 0x0101010101010101L) != 0x0101010101010101L) {
                return false;
            }
        }
        for (; page < pages; page++) {
            if ((residency.buffer().getByte(page) & 1) == 0) {
                return false;
            }
        }
        return true;
    }

    private FileWindow map(final LocalFile file, final long start) {
        if (mappedLength + windowLength > maxMappedLength) {
            evict();
            return null;
        }
        final long address = Syscalls.mmap(
            0, windowLength, Constants.PROT_READ, Constants.MAP_SHARED | Constants.MAP_NORESERVE, file.fd(), start);
        if (Errno.isError(address)) {
            if (address != -Errno.ENOMEM) {
                file.setUnmappable();
            }
            return null;
        }
        mappedLength += windowLength;
        final FileWindow window = new FileWindow(this, file, start, address);
        file.addWindow(window);
        return window;
    }

    private void evict() {
        FileWindow window = unmapping > 0 ? null : leastRecent;
        while (window != null && window.pins > 0) {
            window = window.moreRecent;
        }
        if (window != null) {
            unlink(window);
            window.file.removeWindow(window);
            unmap(window);
        }
    }

    private void unmap(final FileWindow window) {
        unmapping++;
        workers.submit(window);
    }

    private void link(final FileWindow window) {
        window.lessRecent = mostRecent;
        window.moreRecent = null;
        if (mostRecent == null) {
            leastRecent = window;
        } else {
            mostRecent.moreRecent = window;
        }
        mostRecent = window;
    }

    private void unlink(final FileWindow window) {
        if (window.lessRecent == null) {
            leastRecent = window.moreRecent;
        } else {
            window.lessRecent.moreRecent = window.moreRecent;
        }
        if (window.moreRecent == null) {
            mostRecent = window.lessRecent;
        } else {
            window.moreRecent.lessRecent = window.lessRecent;
        }
    }
}
