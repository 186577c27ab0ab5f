/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.file;

import io.vsockproxy.posix.Constants;
import io.vsockproxy.posix.Errno;
import io.vsockproxy.posix.OwnedFd;
import io.vsockproxy.posix.Paths;
import io.vsockproxy.posix.Syscalls;
import java.util.ArrayList;

/**
 * A regular file of this side that the other side may use: its descriptor, its mapped windows, and the requests that
 * could not be answered at once, in the order of arrival.
 *
 * <p>Owns the descriptor, which a worker closes after the last request, because close(2) may wait for a disk too.
 * Confined to the loop's thread, except {@link #fd} and {@link #reopen}.
 */
public final class LocalFile {
    private static final int MAX_SCANNED_REQUESTS = 64;
    /** The flags that a reopened descriptor must share with the original. */
    private static final int KEPT_FLAGS = Constants.O_ACCMODE | Constants.O_APPEND | Constants.O_SYNC;

    private final OwnedFd descriptor;
    private final FileRelay relay;
    private final int flags;
    private final ArrayList<FileWindow> windows = new ArrayList<>(0);
    private final FileTask closing = new FileTask() {
        @Override
        void perform() {
            descriptor.close();
        }

        @Override
        void completed() {
            // Nobody waits for the close.
        }
    };
    private FileRequest first;
    private FileRequest last;
    private FileSystemKind kind = FileSystemKind.UNKNOWN;
    private boolean unmappable = true;
    private boolean refusesNowaitRead;
    private boolean refusesNowaitWrite;
    private boolean direct;
    private boolean waitingForRoom;
    private boolean waitingForBuffer;
    private boolean closed;
    private boolean closingBegun;
    private long copiedLength;
    private long knownSize;
    private int withWorkers;
    private int changes;

    /**
     * @param descriptor takes ownership.
     */
    public LocalFile(final OwnedFd descriptor) {
        this(descriptor, null);
    }

    /**
     * @param descriptor the file. Takes ownership; also keeps the file of {@code relay} open.
     * @param relay      through which to ask its owner, if the file is on this process's own mount; otherwise null.
     */
    public LocalFile(final OwnedFd descriptor, final FileRelay relay) {
        this.descriptor = descriptor;
        this.relay = relay;
        flags = Math.max(0, Syscalls.fcntl(descriptor.fd(), Constants.F_GETFL, 0));
        direct = relay == null && (flags & Constants.O_DIRECT) != 0;
        if (relay != null) {
            kind = FileSystemKind.SLOW;
        }
        refusesNowaitRead = relay != null || direct;
        refusesNowaitWrite = refusesNowaitRead || isSynchronous();
    }

    /** The descriptor, borrowed; it stays open until the last request is done. */
    int fd() {
        return descriptor.fd();
    }

    /** Where requests go instead of to the kernel; or null. */
    FileRelay relay() {
        return relay;
    }

    /** Whether the descriptor was opened for reading. */
    boolean isReadable() {
        return (flags & Constants.O_ACCMODE) != Constants.O_WRONLY;
    }

    /** Whether the descriptor was opened for writing. */
    boolean isWritable() {
        return (flags & Constants.O_ACCMODE) != Constants.O_RDONLY;
    }

    /**
     * Whether each write must be on the disk when it is done: O_SYNC or O_DSYNC, whose bit is in both. With RWF_NOWAIT
     * XFS and btrfs write into memory at once, and then wait for the disk all the same (generic_write_sync in the
     * kernel's include/linux/fs.h).
     */
    boolean isSynchronous() {
        return (flags & Constants.O_DSYNC) != 0;
    }

    /** Whether all writes go to the end of the file. */
    boolean appends() {
        return (flags & Constants.O_APPEND) != 0;
    }

    /** For a synchronous file: whether each write has the effect of fsync(2), rather than of fdatasync(2). */
    boolean isFullySynchronous() {
        return (flags & Constants.O_SYNC) == Constants.O_SYNC;
    }

    // ---- What is known about it

    FileSystemKind kind() {
        return kind;
    }

    /** A worker has found out the kind of file system, and whether mincore(2) can be relied on. */
    void learned(final FileSystemKind found, final boolean residencyTruthful) {
        if (kind == FileSystemKind.UNKNOWN) {
            kind = found;
            unmappable = !found.isMappable() || !residencyTruthful;
        }
    }

    /**
     * Whether the application has opened it with O_DIRECT: then addresses, offsets and lengths must be multiples of the
     * block size, which whoever it was passed to does not know. Only workers' buffers are at least aligned.
     */
    boolean isDirect() {
        return direct;
    }

    /**
     * On a worker: opens the file anew, without O_DIRECT, and replaces the passed descriptor with that. Clearing the
     * flag instead would also affect the application's own descriptor, which shares it.
     *
     * @return whether that succeeded; not if this process may not open the file.
     */
    boolean reopen() {
        final int fd = descriptor.fd();
        final int reopened = Paths.open("/proc/self/fd/" + fd, (flags & KEPT_FLAGS) | Constants.O_CLOEXEC);
        if (reopened < 0) {
            return false;
        }
        final int result = Syscalls.dup3(reopened, fd, Constants.O_CLOEXEC);
        Syscalls.close(reopened);
        return !Errno.isError(result);
    }

    /** The loop hears that the file has been {@linkplain #reopen reopened}. */
    void reopened() {
        direct = false;
        refusesNowaitRead = false;
        refusesNowaitWrite = isSynchronous();
    }

    boolean isMappable() {
        return !unmappable;
    }

    void setUnmappable() {
        unmappable = true;
    }

    /** Whether RWF_NOWAIT reads have been refused, because the file system does not support them. */
    boolean refusesNowaitRead() {
        return refusesNowaitRead;
    }

    void setRefusesNowaitRead() {
        refusesNowaitRead = true;
    }

    /** Whether RWF_NOWAIT writes have been refused, as ext4 does, or would wait nevertheless. */
    boolean refusesNowaitWrite() {
        return refusesNowaitWrite;
    }

    void setRefusesNowaitWrite() {
        refusesNowaitWrite = true;
    }

    /** How many bytes of reads were answered by copying. */
    long copiedLength() {
        return copiedLength;
    }

    void addCopiedLength(final int length) {
        copiedLength += length;
    }

    // ---- Requests

    FileRequest first() {
        return first;
    }

    boolean isIdle() {
        return first == null;
    }

    void append(final FileRequest request) {
        request.previous = last;
        request.next = null;
        if (last == null) {
            first = request;
        } else {
            last.next = request;
        }
        last = request;
        if (request.isChange()) {
            changes++;
        }
    }

    void remove(final FileRequest request) {
        if (request.previous == null) {
            first = request.next;
        } else {
            request.previous.next = request.next;
        }
        if (request.next == null) {
            last = request.previous;
        } else {
            request.next.previous = request.previous;
        }
        request.previous = null;
        request.next = null;
        if (request.isChange()) {
            changes--;
        }
    }

    /** Whether a write or a truncation is listed that is not done yet. */
    boolean hasPendingChanges() {
        return changes > 0;
    }

    /** Whether a request listed before {@code request} must be done first. */
    boolean mustWait(final FileRequest request) {
        if (changes == 0) {
            return false;
        }
        for (FileRequest earlier = first; earlier != request; earlier = earlier.next) {
            if (request.mustFollow(earlier, appends(), knownSize)) {
                return true;
            }
        }
        return false;
    }

    /** Whether a write now would overtake no request that it must follow. */
    boolean isFreeToWrite(final long offset, final int length) {
        if (changes > 0 || (appends() && first != null)) {
            return false;
        }
        int left = MAX_SCANNED_REQUESTS;
        for (FileRequest earlier = first; earlier != null; earlier = earlier.next) {
            if (--left == 0 || earlier.holdsUpWrite(offset, length, knownSize)) {
                return false;
            }
        }
        return true;
    }

    /**
     * Sets the size that decides the order of requests: the actual one, or less. To be called before the two methods
     * above.
     */
    void setKnownSize(final long size) {
        knownSize = size;
    }

    /** How many requests are with workers. */
    int withWorkers() {
        return withWorkers;
    }

    void addWithWorkers(final int change) {
        withWorkers += change;
    }

    boolean isWaitingForRoom() {
        return waitingForRoom;
    }

    void setWaitingForRoom(final boolean isWaiting) {
        waitingForRoom = isWaiting;
    }

    boolean isWaitingForBuffer() {
        return waitingForBuffer;
    }

    void setWaitingForBuffer(final boolean isWaiting) {
        waitingForBuffer = isWaiting;
    }

    // ---- Windows

    /** The window that begins at {@code offset}, or null. */
    FileWindow window(final long offset) {
        // From the end: the window used last is usually the one mapped last.
        for (int i = windows.size() - 1; i >= 0; i--) {
            if (windows.get(i).offset == offset) {
                return windows.get(i);
            }
        }
        return null;
    }

    void addWindow(final FileWindow window) {
        windows.add(window);
    }

    void removeWindow(final FileWindow window) {
        windows.remove(window);
    }

    FileWindow takeWindow() {
        return windows.isEmpty() ? null : windows.remove(windows.size() - 1);
    }

    // ---- The end

    void markClosed() {
        closed = true;
    }

    /**
     * Returns true, once, when the file is marked closed and has no requests any more, so that its descriptor can be
     * closed.
     */
    boolean beginClosing() {
        if (!closed || closingBegun || first != null) {
            return false;
        }
        closingBegun = true;
        return true;
    }

    FileTask closing() {
        return closing;
    }
}
