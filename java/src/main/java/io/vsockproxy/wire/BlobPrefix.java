/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.wire;

import org.agrona.DirectBuffer;
import org.agrona.UnsafeApi;

/**
 * The start of a frame whose blob has not completely arrived: enough to pass on the part that has, and to count the
 * rest.
 *
 * <pre>
 *    frame                                                      blobOffset               end of the frame
 *   +----------+------+--------+------+--------+------+--------+--------------- - - - - -+
 *   | size     | 0x12 | length | 0x08 | handle | 0x12 | length | blob, as far as it is here ...
 *   | size     | 0x32 | length | 0x08 | cookie | 0x1a | length | blob, as far as it is here ...
 *   +----------+------+--------+------+--------+------+--------+--------------- - - - - -+
 * </pre>
 *
 * <p>Only a blob that ends its frame can be passed on early: nothing that follows could then change its meaning, or
 * turn out to be malformed. One thread; nothing is allocated.
 */
public final class BlobPrefix {
    private static final int DATA_TAG = Field.lengthDelimitedTag(Command.DATA);
    private static final int DATA_BLOB_TAG = Field.lengthDelimitedTag(2);
    private static final int PREAD_RESPONSE_TAG = Field.lengthDelimitedTag(Command.PREAD_RESPONSE);
    private static final int PREAD_RESPONSE_BLOB_TAG = Field.lengthDelimitedTag(3);

    /** The first field of both: a handle or a cookie. */
    private static final int SUBJECT_TAG = Field.varintTag(1);

    private int command;
    private long subject;
    private long bodyLength;
    private int blobOffset;
    private long blobLength;
    /** What {@link #readVarint} has read. */
    private long value;

    /** Starts out empty. */
    public BlobPrefix() {
    }

    /**
     * Checks whether a frame starts with a complete header in front of a blob that extends to the frame's end: a Data
     * of a handle and a blob in this order, or a PreadResponse of a cookie and a blob, and nothing else. If so, all
     * lengths agree with the frame's size. Malformed bytes do not make it throw.
     *
     * @param available bytes of the frame, or of it and what follows, that have arrived at {@code frameOffset}.
     * @return false if it does not, or not yet: wait for the whole frame and decode that. Also false for a body longer
     *     than {@link Integer#MAX_VALUE}, which cannot be a protobuf message.
     * @throws IndexOutOfBoundsException if the buffer does not have {@code available} bytes there.
     */
    public boolean wrap(final DirectBuffer buffer, final int frameOffset, final int available) {
        if ((frameOffset | available) < 0 || available > buffer.capacity() - frameOffset) {
            throw new IndexOutOfBoundsException(
                "frameOffset=" + frameOffset + ", available=" + available + ", capacity=" + buffer.capacity());
        }
        command = Command.NONE;
        if (available < FrameDescriptor.SIZE_LENGTH) {
            return false;
        }
        final long length = FrameDescriptor.bodyLength(buffer, frameOffset);
        if (length < 0 || length > Integer.MAX_VALUE) {
            return false;
        }

        final byte[] base = buffer.byteArray();
        final long address = buffer.addressOffset() + frameOffset;
        final long frameEnd = FrameDescriptor.SIZE_LENGTH + length;
        final int limit = (int) Math.min(available, frameEnd);

        int position = FrameDescriptor.SIZE_LENGTH;
        if (position >= limit) {
            return false;
        }
        final int tag = UnsafeApi.getByte(base, address + position);
        if (tag != DATA_TAG && tag != PREAD_RESPONSE_TAG) {
            return false;
        }
        int end = readVarint(base, address, position + 1, limit);
        if (end < 0 || value != frameEnd - end) {
            return false;
        }

        position = end;
        if (position >= limit || UnsafeApi.getByte(base, address + position) != SUBJECT_TAG) {
            return false;
        }
        end = readVarint(base, address, position + 1, limit);
        if (end < 0) {
            return false;
        }
        final long handleOrCookie = value;

        position = end;
        final int blobTag = tag == DATA_TAG ? DATA_BLOB_TAG : PREAD_RESPONSE_BLOB_TAG;
        if (position >= limit || UnsafeApi.getByte(base, address + position) != blobTag) {
            return false;
        }
        end = readVarint(base, address, position + 1, limit);
        if (end < 0 || value != frameEnd - end) {
            return false;
        }

        command = tag >>> Field.WIRE_TYPE_BITS;
        subject = handleOrCookie;
        bodyLength = length;
        blobOffset = frameOffset + end;
        blobLength = frameEnd - end;
        return true;
    }

    /** Reads a varint into {@link #value}. Returns the position after it, or a negative number: see Varint.end. */
    private int readVarint(final byte[] base, final long address, final int position, final int limit) {
        if (position < limit) {
            final byte only = UnsafeApi.getByte(base, address + position);
            if (only >= 0) {
                value = only;
                return position + 1;
            }
        }
        final int end = Varint.end(base, address, position, limit);
        if (end > 0) {
            value = Varint.get(base, address, position, end);
        }
        return end;
    }

    /** {@link Command#DATA} or {@link Command#PREAD_RESPONSE}; NONE unless the last wrap said true. */
    public int command() {
        return command;
    }

    /** Of a Data message; 0 otherwise. */
    public long handle() {
        return command == Command.DATA ? subject : 0;
    }

    /** Of a PreadResponse; 0 otherwise. */
    public long cookie() {
        return command == Command.PREAD_RESPONSE ? subject : 0;
    }

    /** Bytes of the frame's body; the frame is {@link FrameDescriptor#SIZE_LENGTH} longer. */
    public long bodyLength() {
        return bodyLength;
    }

    /** Where in the buffer the blob starts; at most where the bytes that have arrived end. */
    public int blobOffset() {
        return blobOffset;
    }

    /** Bytes of the whole blob, however many of them have arrived. */
    public long blobLength() {
        return blobLength;
    }
}
