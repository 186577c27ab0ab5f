/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.wire;

import java.nio.ByteOrder;
import org.agrona.MutableDirectBuffer;

/**
 * Tags, and fields as proto3 writes them: one whose value is the default is left out.
 *
 * <p>Every tag here fits into one byte, since no field number exceeds 15: {@code number << 3 | wire type}.
 */
final class Field {
    static final int VARINT = 0;
    static final int FIXED64 = 1;
    static final int LENGTH_DELIMITED = 2;
    static final int START_GROUP = 3;
    static final int END_GROUP = 4;
    static final int FIXED32 = 5;

    /** Bits of a tag below the field number. */
    static final int WIRE_TYPE_BITS = 3;
    static final int WIRE_TYPE_MASK = (1 << WIRE_TYPE_BITS) - 1;

    private Field() {
    }

    /** The tag of an int64, uint64, int32 or enum. */
    static int varintTag(final int number) {
        return (number << WIRE_TYPE_BITS) | VARINT;
    }

    /** The tag of bytes, a string or a message. */
    static int lengthDelimitedTag(final int number) {
        return (number << WIRE_TYPE_BITS) | LENGTH_DELIMITED;
    }

    /** Bytes of an integer field, tag included. An int32 is to be sign-extended, as protobuf does. */
    static int varintLength(final long value) {
        return value == 0 ? 0 : 1 + Varint.length(value);
    }

    /** Bytes of the tag and length in front of {@code length} bytes that are left out when there are none. */
    static int prefixLength(final long length) {
        return length == 0 ? 0 : 1 + Varint.length(length);
    }

    /** Writes an integer field; returns the offset after it. */
    static int putVarint(final MutableDirectBuffer buffer, final int offset, final int number, final long value) {
        if (value == 0) {
            return offset;
        }
        buffer.putByte(offset, (byte) varintTag(number));
        return Varint.put(buffer, offset + 1, value);
    }

    /** Writes the tag and length of bytes, unless there are none; returns the offset after them. */
    static int putPrefix(final MutableDirectBuffer buffer, final int offset, final int number, final long length) {
        return length == 0 ? offset : putMessagePrefix(buffer, offset, number, length);
    }

    /** Writes the tag and length of a message, which is there even when empty; returns the offset after them. */
    static int putMessagePrefix(
        final MutableDirectBuffer buffer, final int offset, final int number, final long length) {
        buffer.putByte(offset, (byte) lengthDelimitedTag(number));
        return Varint.put(buffer, offset + 1, length);
    }

    /**
     * Writes an integer field so that it ends at {@code end}; returns the offset of its tag. A 0 is left out, as
     * proto3 does.
     */
    static int putVarintBefore(final MutableDirectBuffer buffer, final int end, final int number, final long value) {
        return value == 0 ? end : putBefore(buffer, end, varintTag(number), value);
    }

    /** Writes the tag and length of bytes so that they end at {@code end}, unless there are none; returns the start. */
    static int putPrefixBefore(final MutableDirectBuffer buffer, final int end, final int number, final long length) {
        return length == 0 ? end : putBefore(buffer, end, lengthDelimitedTag(number), length);
    }

    /**
     * Writes a frame's size and the tag and length of its command so that they end at {@code end}, where the command's
     * fields begin; returns the offset of the frame's first byte.
     */
    static int putFrameStartBefore(
        final MutableDirectBuffer buffer, final int end, final int command, final long messageLength) {
        final int bodyOffset = putBefore(buffer, end, lengthDelimitedTag(command), messageLength);
        final int frameOffset = bodyOffset - FrameDescriptor.SIZE_LENGTH;
        FrameDescriptor.bodyLength(buffer, frameOffset, end - bodyOffset + messageLength);
        return frameOffset;
    }

    /**
     * A tag and a varint, with as few stores as possible. One more byte in front of them may be overwritten: whoever
     * writes backwards writes that one later.
     */
    private static int putBefore(final MutableDirectBuffer buffer, final int end, final int tag, final long value) {
        if ((value & ~0x7FL) == 0) {
            buffer.putShort(end - 2, (short) (tag | (value << 8)), ByteOrder.LITTLE_ENDIAN);
            return end - 2;
        }
        if ((value & ~0x3FFFL) == 0) {
            final int varint = ((int) value & 0x7F) | 0x80 | (int) (value >>> 7 << 8);
            buffer.putInt(end - 4, (tag << 8) | (varint << 16), ByteOrder.LITTLE_ENDIAN);
            return end - 3;
        }
        final int start = end - 1 - Varint.length(value);
        buffer.putByte(start, (byte) tag);
        Varint.put(buffer, start + 1, value);
        return start;
    }

    /** Bytes of a frame's size and of the tag and length of its command. */
    static int frameStartLength(final long messageLength) {
        return FrameDescriptor.SIZE_LENGTH + 1 + Varint.length(messageLength);
    }

    /** Writes a frame's size and the tag and length of its command; returns the offset of the command's fields. */
    static int putFrameStart(
        final MutableDirectBuffer buffer, final int offset, final int command, final long messageLength) {
        FrameDescriptor.bodyLength(buffer, offset, 1 + Varint.length(messageLength) + messageLength);
        return putMessagePrefix(buffer, offset + FrameDescriptor.SIZE_LENGTH, command, messageLength);
    }
}
