/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.fuse;

import io.vsockproxy.posix.Errno;
import io.vsockproxy.posix.PollEvents;
import org.agrona.MutableDirectBuffer;

/**
 * Answers for one file that was given out, on the loop's thread.
 *
 * <p>Each method that is handed a {@link FuseRequest} answers it exactly once: at once or at any later time, in any
 * order, also after {@link #interrupted}, {@link #released} or the end of the mount. Many requests may be open at once.
 * No method may block.
 */
public interface FileBackend {
    /**
     * Reads up to {@code length} bytes, at most {@link FuseMount#MAX_DATA_LENGTH}, at {@code offset}. Fewer than asked
     * for tell the reader that the file ends there.
     * Answer: {@link FuseRequest#replyData} or {@link FuseRequest#replyError}.
     */
    void read(FuseRequest request, long offset, int length);

    /**
     * Writes the {@code length} bytes (at most {@link FuseMount#MAX_DATA_LENGTH}) that begin at {@code index} in
     * {@code buffer} to {@code offset}. For a file opened with O_APPEND the offset is the kernel's guess of where the
     * file ends: append instead. Answer: {@link FuseRequest#replyWritten} or {@link FuseRequest#replyError}.
     *
     * @param buffer the bytes are there until this returns. The {@link FuseMount#WRITE_SCRATCH_LENGTH} bytes in front
     *               of {@code index} may be overwritten, to frame the data where it lies.
     * @param address of the first byte of data, for a system call.
     * @return false when there is no room for the data now: the mount then parks the request and offers it again
     *     when {@link FuseMount#resume} is called; when too many are parked, only the beginning of what it wrote. It
     *     has not been answered then.
     */
    boolean write(
        FuseRequest request, long offset, MutableDirectBuffer buffer, int index, int length, long address);

    /**
     * What a write waits for that there is no room for: the files that it is the same object for share one queue, which
     * leaves others alone.
     */
    default Object room() {
        return this;
    }

    /**
     * Asks for the attributes, of which no more than the size need be known. Answer:
     * {@link FuseRequest#replyAttributes} or {@link FuseRequest#replyError}. Asked once before the file is opened
     * (where an error counts as a size of 0), then for each fstat and lseek(SEEK_END).
     */
    void getattr(FuseRequest request);

    /**
     * Cuts or extends the file to {@code length} bytes.
     * Answer: {@link FuseRequest#replySuccess} or {@link FuseRequest#replyError}.
     */
    void truncate(FuseRequest request, long length);

    /**
     * Makes what was written durable. Answer: {@link FuseRequest#replySuccess} or {@link FuseRequest#replyError};
     * unless overridden, EINVAL, as for a pipe.
     *
     * @param dataOnly what fdatasync(2) does is enough.
     */
    default void fsync(final FuseRequest request, final boolean dataOnly) {
        request.replyError(Errno.EINVAL);
    }

    /**
     * Whether what is read is gone, and there are no positions, as in a pipe. A read may then wait, and no kernel reads
     * ahead; {@link FuseRequest#statusFlags} says whether the reader wants to wait.
     */
    default boolean isStream() {
        return false;
    }

    /**
     * Tells what can be done without waiting, soon. Answer: {@link FuseRequest#replyPoll}.
     *
     * @param events what is asked about, of poll(2)'s.
     * @param waker  0, or for {@link FuseMount#wake} when the answer may have changed.
     */
    default void poll(final FuseRequest request, final int events, final long waker) {
        request.replyPoll(PollEvents.ALWAYS_READY);
    }

    /**
     * Whoever waits for {@code request} was sent a signal. What changes nothing (read, getattr, fsync) has been
     * answered EINTR already, and this is called only if the signal kills. A write or a truncation has not been: EINTR
     * would say that it was not done. Nor has a read from a {@linkplain #isStream stream}, which may have taken
     * something, nor a poll, of which EINTR makes an error. In either case the request is still to be answered, here or
     * later; an answer that comes too late is dropped.
     */
    default void interrupted(final FuseRequest request) {
    }

    /** The last descriptor is closed, or the file was never opened, or the mount has ended. Called exactly once. */
    void released();
}
