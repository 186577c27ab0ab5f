/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.wire;

import io.vsockproxy.posix.FileAttributes;
import org.agrona.MutableDirectBuffer;

/**
 * Writes whole frames of the commands that carry neither a blob nor a path, byte for byte as protobuf would.
 *
 * <p>Each method writes a frame at {@code offset}, its size included, and returns its length in bytes. The caller
 * provides the room, for which {@link #MAX_CONTROL_LENGTH} is enough. Error codes are 0 or a Linux errno. Other
 * messages have their own headers: {@link ConnectRequestHeader}, {@link DataHeader}, {@link PreadResponseHeader},
 * {@link PwriteRequestHeader}.
 */
public final class MessageEncoder {
    /**
     * The longest frame that any method here writes, in bytes: an fstatResponse with six fields of 64 bits and two of
     * 32.
     */
    public static final int MAX_CONTROL_LENGTH =
        FrameDescriptor.SIZE_LENGTH + 1 + 1 + 6 * (1 + Varint.MAX_LENGTH) + 2 * (1 + Varint.MAX_INT_LENGTH);

    private static final int TRANSFERRED_FD = 3;

    private MessageEncoder() {
    }

    /** The sender has closed its end of {@code handle}. */
    public static int close(final MutableDirectBuffer buffer, final int offset, final long handle) {
        int position = Field.putFrameStart(buffer, offset, Command.CLOSE, Field.varintLength(handle));
        position = Field.putVarint(buffer, position, 1, handle);
        return position - offset;
    }

    /** As {@link #close}, with the errno of what ended it; for peers that have greeted. */
    public static int reset(
        final MutableDirectBuffer buffer, final int offset, final long handle, final int reason) {
        final int length = Field.varintLength(handle) + Field.varintLength(reason);
        int position = Field.putFrameStart(buffer, offset, Command.CLOSE, length);
        position = Field.putVarint(buffer, position, 1, handle);
        position = Field.putVarint(buffer, position, Notice.REASON_FIELD, reason);
        return position - offset;
    }

    /** A {@link Notice}; all but a GREETING are only for peers that have greeted. */
    public static int notice(
        final MutableDirectBuffer buffer,
        final int offset,
        final int notice,
        final long subject,
        final long amount,
        final int bits) {
        final long unsignedBits = Integer.toUnsignedLong(bits);
        final int length = Field.varintLength(notice) + Field.varintLength(subject) + Field.varintLength(amount)
            + Field.varintLength(unsignedBits);
        int position = Field.putFrameStart(buffer, offset, Command.CLOSE, length);
        position = Field.putVarint(buffer, position, Notice.NOTICE_FIELD, notice);
        position = Field.putVarint(buffer, position, Notice.SUBJECT_FIELD, subject);
        position = Field.putVarint(buffer, position, Notice.AMOUNT_FIELD, amount);
        position = Field.putVarint(buffer, position, Notice.BITS_FIELD, unsignedBits);
        return position - offset;
    }

    /** Answers a ConnectRequest: an error, or the handle of the new connection. */
    public static int connectResponse(
        final MutableDirectBuffer buffer,
        final int offset,
        final long cookie,
        final int errorCode,
        final long handle) {
        return threeFields(buffer, offset, Command.CONNECT_RESPONSE, cookie, errorCode, handle);
    }

    /** Asks for {@code count} bytes of a file at {@code fileOffset}; both are unsigned. */
    public static int preadRequest(
        final MutableDirectBuffer buffer,
        final int offset,
        final long cookie,
        final long handle,
        final long count,
        final long fileOffset) {
        final int messageLength = Field.varintLength(cookie)
            + Field.varintLength(handle)
            + Field.varintLength(count)
            + Field.varintLength(fileOffset);
        int position = Field.putFrameStart(buffer, offset, Command.PREAD_REQUEST, messageLength);
        position = Field.putVarint(buffer, position, 1, cookie);
        position = Field.putVarint(buffer, position, 2, handle);
        position = Field.putVarint(buffer, position, 3, count);
        position = Field.putVarint(buffer, position, 4, fileOffset);
        return position - offset;
    }

    /** Answers a PreadRequest with an error. */
    public static int preadError(
        final MutableDirectBuffer buffer, final int offset, final long cookie, final int errorCode) {
        return threeFields(buffer, offset, Command.PREAD_RESPONSE, cookie, errorCode, 0);
    }

    /** Answers a PwriteRequest: an error, or how many bytes were written. */
    public static int pwriteResponse(
        final MutableDirectBuffer buffer,
        final int offset,
        final long cookie,
        final int errorCode,
        final long bytesWritten) {
        return threeFields(buffer, offset, Command.PWRITE_RESPONSE, cookie, errorCode, bytesWritten);
    }

    /**
     * Asks how large a file is.
     *
     * @param sync one of {@link Sync}; only {@link Sync#NONE} for peers that have not greeted.
     */
    public static int fstatRequest(
        final MutableDirectBuffer buffer, final int offset, final long cookie, final long handle, final int sync) {
        final long unsignedSync = Integer.toUnsignedLong(sync);
        final int messageLength =
            Field.varintLength(cookie) + Field.varintLength(handle) + Field.varintLength(unsignedSync);
        int position = Field.putFrameStart(buffer, offset, Command.FSTAT_REQUEST, messageLength);
        position = Field.putVarint(buffer, position, 1, cookie);
        position = Field.putVarint(buffer, position, 2, handle);
        position = Field.putVarint(buffer, position, MessageLayout.SYNC_FIELD, unsignedSync);
        return position - offset;
    }

    /** Answers an FstatRequest: an error, or the file's size in bytes. */
    public static int fstatResponse(
        final MutableDirectBuffer buffer,
        final int offset,
        final long cookie,
        final int errorCode,
        final long size) {
        return threeFields(buffer, offset, Command.FSTAT_RESPONSE, cookie, errorCode, size);
    }

    /** Answers an FstatRequest with everything that is known; for peers that have greeted. */
    public static int fstatResponse(
        final MutableDirectBuffer buffer, final int offset, final long cookie, final FileAttributes attributes) {
        final long mode = Integer.toUnsignedLong(attributes.mode());
        final long links = Integer.toUnsignedLong(attributes.links());
        final int messageLength = Field.varintLength(cookie)
            + Field.varintLength(attributes.size())
            + Field.varintLength(mode)
            + Field.varintLength(links)
            + Field.varintLength(attributes.blocks())
            + Field.varintLength(attributes.accessTimeNs())
            + Field.varintLength(attributes.modificationTimeNs())
            + Field.varintLength(attributes.changeTimeNs());
        int position = Field.putFrameStart(buffer, offset, Command.FSTAT_RESPONSE, messageLength);
        position = Field.putVarint(buffer, position, 1, cookie);
        position = Field.putVarint(buffer, position, 3, attributes.size());
        position = Field.putVarint(buffer, position, MessageLayout.MODE_FIELD, mode);
        position = Field.putVarint(buffer, position, MessageLayout.LINKS_FIELD, links);
        position = Field.putVarint(buffer, position, MessageLayout.BLOCKS_FIELD, attributes.blocks());
        position = Field.putVarint(buffer, position, MessageLayout.ACCESS_TIME_FIELD, attributes.accessTimeNs());
        position =
            Field.putVarint(buffer, position, MessageLayout.MODIFICATION_TIME_FIELD, attributes.modificationTimeNs());
        position = Field.putVarint(buffer, position, MessageLayout.CHANGE_TIME_FIELD, attributes.changeTimeNs());
        return position - offset;
    }

    /** Asks to cut or extend a file to {@code length} bytes. */
    public static int ftruncateRequest(
        final MutableDirectBuffer buffer,
        final int offset,
        final long cookie,
        final long handle,
        final long length) {
        return threeFields(buffer, offset, Command.FTRUNCATE_REQUEST, cookie, handle, length);
    }

    /** Answers an FtruncateRequest. */
    public static int ftruncateResponse(
        final MutableDirectBuffer buffer, final int offset, final long cookie, final int errorCode) {
        return threeFields(buffer, offset, Command.FTRUNCATE_RESPONSE, cookie, errorCode, 0);
    }

    /**
     * Writes one {@code transferred_fd} field of a Data message, tag included.
     *
     * @param type  one of {@link DescriptorType}.
     * @param flags the descriptor's file status flags.
     * @param filePosition the descriptor's file position in bytes; 0 for peers that have not greeted.
     * @return the offset after it.
     */
    public static int putTransferredDescriptor(
        final MutableDirectBuffer buffer, final int offset, final int type, final long handle, final int flags,
        final long filePosition) {
        int position = Field.putMessagePrefix(
            buffer, offset, TRANSFERRED_FD, descriptorLength(type, handle, flags, filePosition));
        position = Field.putVarint(buffer, position, 1, type);
        position = Field.putVarint(buffer, position, 2, handle);
        position = Field.putVarint(buffer, position, 5, flags);
        return Field.putVarint(buffer, position, MessageLayout.DESCRIPTOR_POSITION_FIELD, filePosition);
    }

    private static int descriptorLength(
        final int type, final long handle, final int flags, final long filePosition) {
        return Field.varintLength(type) + Field.varintLength(handle) + Field.varintLength(flags)
            + Field.varintLength(filePosition);
    }

    /** Most messages are integers with the field numbers 1, 2 and 3. */
    private static int threeFields(
        final MutableDirectBuffer buffer,
        final int offset,
        final int command,
        final long first,
        final long second,
        final long third) {
        final int messageLength = Field.varintLength(first) + Field.varintLength(second) + Field.varintLength(third);
        int position = Field.putFrameStart(buffer, offset, command, messageLength);
        position = Field.putVarint(buffer, position, 1, first);
        position = Field.putVarint(buffer, position, 2, second);
        position = Field.putVarint(buffer, position, 3, third);
        return position - offset;
    }
}
