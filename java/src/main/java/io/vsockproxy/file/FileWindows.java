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
 * The mapped windows of all files of one proxy, and their order of use.
 *
 * <p>They never take up more than a bound of address space together, what is still being unmapped included. When one
 * more would, the window that has not been used for longest and is not pinned is unmapped by a worker, and the read
 * that wanted it takes the other way: it never waits for room. Confined to the loop's thread.
 */
public final class FileWindows implements AutoCloseable {
    /** Bytes of address space for all windows. */
    public static final long DEFAULT_MAX_MAPPED_LENGTH = 4L << 30;
    /** Bytes of one window. */
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
     * @param maxMappedLength bytes of address space for all windows together; less than one window means none.
     * @param windowLength    bytes of one, a multiple of the page size.
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

    /** Bytes of address space taken, what is being unmapped included. */
    public long mappedLength() {
        return mappedLength;
    }

    /** Frees the bookkeeping; the windows go with their files. */
    @Override
    public void close() {
        residency.close();
    }

    int windowLength() {
        return windowLength;
    }

    /**
     * The window that [{@code offset}, {@code offset + length}) of the file lies in, mapped if need be and pinned.
     *
     * @return null when the range spans two, when there is no room for one more, or when the kernel refuses.
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

    /** The bytes are not needed any more. */
    void unpin(final FileWindow window) {
        window.pins--;
    }

    /**
     * Whether reading the range cannot wait for a disk: all its pages are in memory. Only for a file that mincore(2)
     * tells the truth about. Between this and the send the kernel may reclaim a page; a page just found resident was
     * recently used, so that takes memory pressure at this very moment, and nothing short of a copy could prevent it.
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

    /** The file is to be closed: takes away its windows, none of which is pinned, for a worker to unmap. */
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
        // Bit 0 of each byte; eight pages at a time.
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
