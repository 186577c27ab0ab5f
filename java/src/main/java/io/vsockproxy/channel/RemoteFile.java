/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.channel;

import org.agrona.DirectBuffer;
import org.agrona.MutableDirectBuffer;

/**
 * A regular file that the other side has passed, and still owns. Nothing of it is cached here.
 *
 * <p>Every request that was sent gets exactly one answer: the owner's, or EIO when the session ends. Many requests may
 * be under way at once, and their answers come in any order. Where requests overlap and one of them changes the file,
 * an owner of this implementation carries out the earlier one first. Confined to the engine's thread (see the package).
 *
 * <p>Positions, indices and lengths are in bytes. A {@code correlationId} is chosen by the caller and merely passed
 * back. Methods throw {@link IllegalArgumentException} for a negative position or file length, and {@link
 * IndexOutOfBoundsException} for a range that is not in the buffer.
 */
public interface RemoteFile extends AutoCloseable {
    /** The most that one request reads or writes, in bytes; a longer request is shortened to this. */
    int MAX_LENGTH = 1 << 20;

    /** Called with the outcome of a request, once, on the engine's thread. */
    @FunctionalInterface
    interface Completion {
        /**
         * The answer.
         *
         * @param file          the file that the request was for.
         * @param correlationId the number given with the request.
         * @param result        on success: of pread and pwrite how many bytes, which may be fewer than asked for (at
         *                      the end of the file, at the limits, on a full disk); of fstat the size in bytes; of
         *                      ftruncate and sync 0. Otherwise {@code -errno}: EIO, also when the session has ended;
         *                      EBADF: the file is not open for that; EAGAIN: the owner has too many requests; EFAULT:
         *                      the buffer has shrunk meanwhile.
         */
        void onComplete(RemoteFile file, long correlationId, long result);
    }

    /**
     * Reads up to {@code length} bytes at {@code position} into the caller's buffer.
     *
     * @param buffer the bytes are written to it from {@code index} on before the completion is called; it must stay
     *               allocated until then.
     * @return false when nothing was sent, because too many requests are under way or the file is {@linkplain #isOpen
     *     not open}; the completion is then never called.
     */
    boolean pread(
        long position, MutableDirectBuffer buffer, int index, int length, long correlationId, Completion completion);

    /**
     * Writes up to {@code length} bytes at {@code position}. They are sent as soon as there is room on the link.
     *
     * @param buffer must not change until the completion is called.
     * @return as {@link #pread}.
     */
    boolean pwrite(
        long position, DirectBuffer buffer, int index, int length, long correlationId, Completion completion);

    /** Asks for the size; returns as {@link #pread}. */
    boolean fstat(long correlationId, Completion completion);

    /** Cuts or extends the file to {@code length} bytes; returns as {@link #pread}. */
    boolean ftruncate(long length, long correlationId, Completion completion);

    /**
     * Has the owner make durable what the requests completed so far have written, cut or extended: after result 0 it is
     * on the owner's disk. Returns as {@link #pread}.
     *
     * <p>A peer without the extension cannot be asked for this: the result is then {@code -EOPNOTSUPP}. Any other error
     * is the owner's, as from fsync(2): EIO, ENOSPC, EDQUOT, or EINVAL for a file that is on no disk.
     *
     * @param dataOnly as fdatasync(2): leave out metadata, such as times, that is not needed to read the bytes again.
     */
    boolean sync(boolean dataOnly, long correlationId, Completion completion);

    /**
     * The file status flags of the owner's descriptor, as F_GETFL shows them there and Linux numbers them. The lowest
     * two bits are 0 for reading only (O_RDONLY), 1 for writing only and 2 for both; 02000 is O_APPEND.
     */
    int statusFlags();

    /** Whether requests can be sent: it has been closed on neither side, and the session goes on. */
    boolean isOpen();

    /**
     * Tells the owner that the file is no longer used. Requests under way are still carried out and answered, including
     * writes that wait for room on the link. Idempotent.
     *
     * @throws IllegalStateException when it is still open and this is called on another thread than the engine's, or
     *                               while a claim is open.
     */
    @Override
    void close();
}
