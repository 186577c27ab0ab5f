/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.fuse;

import io.vsockproxy.posix.Errno;
import io.vsockproxy.posix.PollEvents;
import org.agrona.MutableDirectBuffer;

/**
 * Serves one file of the mount, on the loop's thread.
 *
 * <p>Each {@link FuseRequest} must be answered exactly once: at once or at any later time, in any order, even after
 * {@link #interrupted}, {@link #released} or the end of the mount. Many requests may be open at once. No method may
 * block.
 */
public interface FileBackend {
    /**
     * Reads up to {@code length} bytes, at most {@link FuseMount#MAX_DATA_LENGTH}, at {@code offset}. Fewer than asked
     * for mean that the file ends there. Answer: {@link FuseRequest#replyData} or {@link FuseRequest#replyError}.
     */
    void read(FuseRequest request, long offset, int length);

    /**
     * Writes the {@code length} bytes (at most {@link FuseMount#MAX_DATA_LENGTH}) that begin at {@code index} in {@code
     * buffer} to {@code offset}. For a file opened with O_APPEND the offset is only the kernel's guess of where the
     * file ends: the bytes must be appended. Answer: {@link FuseRequest#replyWritten} or {@link
     * FuseRequest#replyError}; or, to a {@linkplain FuseRequest#isWriteBack write-back}, {@link FuseRequest#postpone},
     * after which it is offered again.
     *
     * @param buffer contains the data, borrowed for this call only. The {@link FuseMount#WRITE_SCRATCH_LENGTH} bytes in
     *               front of {@code index} may be overwritten, to frame the data where it lies.
     * @return false when there is no room for the data now. The request is then unanswered; the mount parks it and
     *     offers it again after {@link FuseMount#resume}. When too many are parked, only the beginning of the data is
     *     offered.
     */
    boolean write(FuseRequest request, long offset, MutableDirectBuffer buffer, int index, int length);

    /**
     * Identifies what a write waits for when there is no room: writes for which it is the same object share one queue
     * of parked writes, in which one that still finds no room holds up those behind it.
     */
    default Object room(final FuseRequest write) {
        return this;
    }

    /**
     * Asks for the attributes, of which only the size is required. Answer: {@link FuseRequest#replyAttributes} or
     * {@link FuseRequest#replyError}. Asked once before the file is opened (where an error counts as a size of 0), then
     * for each fstat and lseek(SEEK_END).
     */
    void getattr(FuseRequest request);

    /**
     * Truncates or extends the file to {@code length} bytes. Answer: {@link FuseRequest#replySuccess} or {@link
     * FuseRequest#replyError}.
     */
    void truncate(FuseRequest request, long length);

    /**
     * Makes what was written durable. Answer: {@link FuseRequest#replySuccess} or {@link FuseRequest#replyError}; by
     * default EINVAL, as for a pipe.
     *
     * @param dataOnly whether the effect of fdatasync(2) suffices.
     */
    default void fsync(final FuseRequest request, final boolean dataOnly) {
        request.replyError(Errno.EINVAL);
    }

    /**
     * Whether reading consumes the bytes and there is no file position, as in a pipe. A read may then wait, and the
     * kernel does not read ahead; {@link FuseRequest#statusFlags} tells whether the reader wants to wait.
     */
    default boolean isStream() {
        return false;
    }

    /**
     * Asks which operations would not wait. Must be answered soon, with {@link FuseRequest#replyPoll}.
     *
     * @param events the events of poll(2) that are of interest.
     * @param waker  0, or the argument for a call of {@link FuseMount#wake} when the answer may have changed.
     */
    default void poll(final FuseRequest request, final int events, final long waker) {
        request.replyPoll(PollEvents.ALWAYS_READY);
    }

    /**
     * Whoever waits for {@code request} was sent a signal. A request without effects (read, getattr, fsync) has been
     * answered with EINTR already, and this is called only if the signal kills. A write or truncation has not, because
     * EINTR would mean that it was not done; nor has a read from a {@linkplain #isStream stream}, which may have
     * consumed something, nor a poll, for which EINTR would be shown as an error of the file. In every case the request
     * must still be answered, here or later; an answer that nobody waits for is dropped.
     */
    default void interrupted(final FuseRequest request) {
    }

    /**
     * The last descriptor has been closed, or the file could not be opened, or the mount has ended. Called exactly
     * once.
     */
    void released();
}
