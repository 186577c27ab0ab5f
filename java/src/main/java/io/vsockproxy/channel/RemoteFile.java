/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.channel;

import org.agrona.DirectBuffer;
import org.agrona.MutableDirectBuffer;

/**
 * A regular file that the other side has passed and owns. Nothing of it is cached here.
 *
 * <p>Every request that was sent gets exactly one answer: the owner's, or EIO when the session ends. Many may be under
 * way at once, and their answers come in any order. Of those that overlap, if one of them changes the file, an owner of
 * our kind carries out the earlier first. Confined to the engine's thread (see the package).
 *
 * <p>Positions, indices and lengths are bytes. A {@code correlationId} is the caller's, and means nothing here. Methods
 * throw {@link IllegalArgumentException} for a negative position or file length, {@link IndexOutOfBoundsException} for
 * what is not in the buffer.
 */
public interface RemoteFile extends AutoCloseable {
    /** The most that one request reads or writes, in bytes; a longer one is served short. */
    int MAX_LENGTH = 1 << 20;

    /** Is told the outcome of a request, once, on the engine's thread. */
    @FunctionalInterface
    interface Completion {
        /**
         * The answer.
         *
         * @param file          that was asked.
         * @param correlationId as given with the request.
         * @param result        pread, pwrite: how many bytes, fewer than asked for at the end of the file, at the
         *                      limits and on a full disk; fstat: the size in bytes; ftruncate, sync: 0. Else
         *                      {@code -errno}: EIO, also for a session that has ended; EBADF: not open for that;
         *                      EAGAIN: the owner has too many requests to deal with; EFAULT: the buffer has become
         *                      too short meanwhile.
         */
        void onComplete(RemoteFile file, long correlationId, long result);
    }

    /**
     * Reads up to {@code length} bytes at {@code position} into the caller's buffer.
     *
     * @param buffer is written from {@code index} on before the completion is told, and must stay until then.
     * @return false when nothing was sent: too many requests are under way, or the file is {@linkplain #isOpen not
     *     open}.
     */
    boolean pread(
        long position, MutableDirectBuffer buffer, int index, int length, long correlationId, Completion completion);

    /**
     * Writes up to {@code length} bytes at {@code position}, as soon as there is room on the link.
     *
     * @param buffer must stay as it is until the completion is told.
     * @return as {@link #pread}.
     */
    boolean pwrite(
        long position, DirectBuffer buffer, int index, int length, long correlationId, Completion completion);

    /** Asks for the size; returns as {@link #pread}. */
    boolean fstat(long correlationId, Completion completion);

    /** Cuts or extends the file to {@code length} bytes; returns as {@link #pread}. */
    boolean ftruncate(long length, long correlationId, Completion completion);

    /**
     * Has the owner make durable what requests that are completed by now have written, cut or extended: with result 0
     * it is on the owner's disk. Returns as {@link #pread}.
     *
     * <p>Of a peer without the extension nobody can ask that: the result is {@code -EOPNOTSUPP} when it has answered.
     * Any other error is the owner's, as fsync(2) gives it: EIO, ENOSPC, EDQUOT; EINVAL of a file that has no disk.
     *
     * @param dataOnly without what is not needed to read the bytes again, like times: fdatasync(2).
     */
    boolean sync(boolean dataOnly, long correlationId, Completion completion);

    /**
     * The file status flags of the owner's descriptor, as F_GETFL shows them there and Linux numbers them: the lowest
     * two bits are 0 to read only (O_RDONLY), 1 to write only, 2 for both; 02000 is O_APPEND.
     */
    int statusFlags();

    /** Whether requests can be sent: neither closed here or there, nor the session ended. */
    boolean isOpen();

    /**
     * Tells the owner that the file is not used any more. Requests under way, writes that wait for room on the link
     * among them, are still carried out and answered. Idempotent.
     *
     * @throws IllegalStateException while it is open, on another thread than the engine's, and while a claim is open.
     */
    @Override
    void close();
}
