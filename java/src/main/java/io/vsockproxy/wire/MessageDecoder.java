/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.wire;

import org.agrona.DirectBuffer;
import org.agrona.UnsafeApi;

/**
 * Reads one {@code VSockMessage}, wherever it lies, and shows its fields. Blobs and paths stay in the buffer.
 *
 * <p>It takes what protobuf takes and rejects what protobuf rejects: fields in any order, the last of a repeated
 * integer or blob, a command that comes in pieces, unknown fields of every wire type, groups among them. Of two
 * commands in one body, the second counts; the first one's fields are dropped, even if the same command comes a third
 * time.
 *
 * <p>A field that was not sent, or that the command does not have, is 0. Fields are of use from {@link #wrap} until the
 * buffer changes or the next wrap. One thread; nothing is allocated unless the message is malformed.
 */
public final class MessageDecoder {
    /** How deeply messages and groups may be nested, as in protobuf's own readers. */
    private static final int MAX_DEPTH = 100;

    private final int[] descriptorTypes;
    private final long[] descriptorHandles;
    private final int[] descriptorFlags;
    private final long[] descriptorPositions;

    private DirectBuffer buffer;
    private int bodyOffset;

    /** Where the body is: {@code position} 0 is its first byte, in {@code base} or, when that is null, in memory. */
    private byte[] base;
    private long address;
    private int position;

    private int command;
    private long handle;
    private long cookie;
    private int errorCode;
    private long count;
    private long fileOffset;
    private long size;
    private long length;
    private long bytesWritten;
    private int blobPosition;
    private int blobLength;
    private int pathPosition;
    private int pathLength;
    private int descriptorCount;
    private int notice;
    private long subject;
    private long amount;
    private int bits;
    private int reason;
    private int sync;
    private boolean hasAttributes;
    private int mode;
    private int links;
    private long blocks;
    private long accessTimeNs;
    private long modificationTimeNs;
    private long changeTimeNs;

    /**
     * @param maxTransferredDescriptors the most descriptors that one Data message may list; a message with more is
     *                                  malformed. 16 bytes of memory each.
     */
    public MessageDecoder(final int maxTransferredDescriptors) {
        if (maxTransferredDescriptors < 0) {
            throw new IllegalArgumentException("maxTransferredDescriptors=" + maxTransferredDescriptors);
        }
        descriptorTypes = new int[maxTransferredDescriptors];
        descriptorHandles = new long[maxTransferredDescriptors];
        descriptorFlags = new int[maxTransferredDescriptors];
        descriptorPositions = new long[maxTransferredDescriptors];
    }

    /**
     * Parses a body.
     *
     * @param offset of the body in the buffer, behind the frame's size.
     * @param length of the body, in bytes.
     * @return this.
     * @throws MalformedMessageException if it is not a {@code VSockMessage}; the command is then NONE.
     * @throws IndexOutOfBoundsException if the buffer does not have that many bytes.
     */
    public MessageDecoder wrap(final DirectBuffer buffer, final int offset, final int length) {
        // Checked here, whether or not Agrona's own checks are on, because everything below bypasses the buffer.
        if ((offset | length) < 0 || length > buffer.capacity() - offset) {
            throw new IndexOutOfBoundsException(
                "offset=" + offset + ", length=" + length + ", capacity=" + buffer.capacity());
        }
        this.buffer = buffer;
        bodyOffset = offset;
        base = buffer.byteArray();
        address = buffer.addressOffset() + offset;
        position = 0;
        reset(Command.NONE);

        while (position < length) {
            final int tag = readTag(length);
            if (MessageLayout.isCommand(tag)) {
                final int end = readLength(length);
                final int number = tag >>> Field.WIRE_TYPE_BITS;
                if (number != command) {
                    reset(number);
                }
                parseCommand(end);
            } else {
                skipField(tag, length, 0);
            }
        }
        return this;
    }

    /** The buffer that offsets count in, as last wrapped. */
    public DirectBuffer buffer() {
        return buffer;
    }

    /** One of {@link Command}; NONE for a message with no command that this version knows. */
    public int command() {
        return command;
    }

    /** The handle that the message is about, or the new one in a ConnectResponse. */
    public long handle() {
        return handle;
    }

    /** Of requests and responses. */
    public long cookie() {
        return cookie;
    }

    /** Of responses: 0 or the peer's errno. */
    public int errorCode() {
        return errorCode;
    }

    /** Of a PreadRequest: bytes, unsigned. */
    public long count() {
        return count;
    }

    /** Of a PreadRequest or PwriteRequest: bytes from the start of the file, unsigned. */
    public long fileOffset() {
        return fileOffset;
    }

    /** Of an FstatResponse: the file's size in bytes. */
    public long size() {
        return size;
    }

    /** Of an FtruncateRequest: the file's new size in bytes. */
    public long length() {
        return length;
    }

    /** Of a PwriteResponse. */
    public long bytesWritten() {
        return bytesWritten;
    }

    /** Of a Close: one of {@link Notice}, or a number from a later version. */
    public int notice() {
        return notice;
    }

    /** Of a notice: the handle that it is about. */
    public long subject() {
        return subject;
    }

    /** Of a notice: a number of bytes, or a token. */
    public long amount() {
        return amount;
    }

    /** Of a notice: one bit each. */
    public int bits() {
        return bits;
    }

    /** Of a Close with a handle: an errno, 0 for an orderly end. */
    public int reason() {
        return reason;
    }

    /** Of an FstatRequest: 0, or {@link Sync#ALL} or {@link Sync#DATA}, or a number from a later version. */
    public int sync() {
        return sync;
    }

    /** Of an FstatResponse: type and permissions; 0 when the peer has sent no more than the size. */
    public int mode() {
        return mode;
    }

    /** Of an FstatResponse: names that the file has. */
    public int links() {
        return links;
    }

    /** Of an FstatResponse: blocks of 512 bytes that it takes up. */
    public long blocks() {
        return blocks;
    }

    /** Of an FstatResponse: nanoseconds since 1970. */
    public long accessTimeNs() {
        return accessTimeNs;
    }

    /** Of an FstatResponse: nanoseconds since 1970. */
    public long modificationTimeNs() {
        return modificationTimeNs;
    }

    /** Of an FstatResponse: nanoseconds since 1970. */
    public long changeTimeNs() {
        return changeTimeNs;
    }

    /** Of a Data, PreadResponse or PwriteRequest, or a ConnectRequest's early data: where in the buffer it starts. */
    public int blobOffset() {
        return bodyOffset + blobPosition;
    }

    /** Bytes of the blob. */
    public int blobLength() {
        return blobLength;
    }

    /** Of a ConnectRequest: where in the buffer the path starts. It is valid UTF-8; a NUL or a slash may be in it. */
    public int pathOffset() {
        return bodyOffset + pathPosition;
    }

    /** Bytes of the path. */
    public int pathLength() {
        return pathLength;
    }

    /** Of a Data message: descriptors that it lists. */
    public int descriptorCount() {
        return descriptorCount;
    }

    /** One of {@link DescriptorType}, or a number that this version does not know. */
    public int descriptorType(final int index) {
        return descriptorTypes[checkIndex(index)];
    }

    /** The handle of descriptor {@code index}. */
    public long descriptorHandle(final int index) {
        return descriptorHandles[checkIndex(index)];
    }

    /** The file status flags of descriptor {@code index}. */
    public int descriptorFlags(final int index) {
        return descriptorFlags[checkIndex(index)];
    }

    /** The file position of descriptor {@code index}, in bytes; also 0 when the peer has not sent it. */
    public long descriptorPosition(final int index) {
        return descriptorPositions[checkIndex(index)];
    }

    // ---- Messages

    private void parseCommand(final int limit) {
        while (position < limit) {
            final int tag = readTag(limit);
            switch (MessageLayout.meaning(command, tag)) {
                case MessageLayout.HANDLE -> handle = readVarint(limit);
                case MessageLayout.COOKIE -> cookie = readVarint(limit);
                case MessageLayout.ERROR_CODE -> errorCode = (int) readVarint(limit);
                case MessageLayout.COUNT -> count = readVarint(limit);
                case MessageLayout.FILE_OFFSET -> fileOffset = readVarint(limit);
                case MessageLayout.SIZE -> size = readVarint(limit);
                case MessageLayout.LENGTH -> length = readVarint(limit);
                case MessageLayout.BYTES_WRITTEN -> bytesWritten = readVarint(limit);
                case MessageLayout.BLOB -> {
                    final int end = readLength(limit);
                    blobPosition = position;
                    blobLength = end - position;
                    position = end;
                }
                case MessageLayout.PATH -> {
                    final int end = readLength(limit);
                    parsePath(end);
                }
                case MessageLayout.TRANSFERRED_FD -> {
                    final int end = readLength(limit);
                    parseDescriptor(end);
                }
                case MessageLayout.NOTICE -> notice = (int) readVarint(limit);
                case MessageLayout.SUBJECT -> subject = readVarint(limit);
                case MessageLayout.AMOUNT -> amount = readVarint(limit);
                case MessageLayout.BITS -> bits = (int) readVarint(limit);
                case MessageLayout.REASON -> reason = (int) readVarint(limit);
                case MessageLayout.SYNC -> sync = (int) readVarint(limit);
                case MessageLayout.UNKNOWN -> skipField(tag, limit, 1);
                default -> parseAttribute(MessageLayout.meaning(command, tag), limit);
            }
        }
    }

    private void parseAttribute(final int meaning, final int limit) {
        hasAttributes = true;
        final long value = readVarint(limit);
        switch (meaning) {
            case MessageLayout.MODE -> mode = (int) value;
            case MessageLayout.LINKS -> links = (int) value;
            case MessageLayout.BLOCKS -> blocks = value;
            case MessageLayout.ACCESS_TIME_NS -> accessTimeNs = value;
            case MessageLayout.MODIFICATION_TIME_NS -> modificationTimeNs = value;
            case MessageLayout.CHANGE_TIME_NS -> changeTimeNs = value;
            default -> throw new IllegalStateException("meaning " + meaning);
        }
    }

    private void parsePath(final int end) {
        final int invalid = Utf8.firstInvalid(base, address, position, end);
        if (invalid != end) {
            throw malformed("path is not UTF-8", invalid);
        }
        pathPosition = position;
        pathLength = end - position;
        position = end;
    }

    private void parseDescriptor(final int limit) {
        if (descriptorCount == descriptorTypes.length) {
            throw malformed(
                "too many descriptors: count=" + (descriptorCount + 1) + ", max=" + descriptorTypes.length, position);
        }
        int type = 0;
        long descriptorHandle = 0;
        int flags = 0;
        long filePosition = 0;
        while (position < limit) {
            final int tag = readTag(limit);
            if (tag == MessageLayout.DESCRIPTOR_TYPE_TAG) {
                type = (int) readVarint(limit);
            } else if (tag == MessageLayout.DESCRIPTOR_HANDLE_TAG) {
                descriptorHandle = readVarint(limit);
            } else if (tag == MessageLayout.DESCRIPTOR_FLAGS_TAG) {
                flags = (int) readVarint(limit);
            } else if (tag == MessageLayout.DESCRIPTOR_POSITION_TAG) {
                filePosition = readVarint(limit);
            } else {
                skipField(tag, limit, 2);
            }
        }
        descriptorTypes[descriptorCount] = type;
        descriptorHandles[descriptorCount] = descriptorHandle;
        descriptorFlags[descriptorCount] = flags;
        descriptorPositions[descriptorCount] = filePosition;
        descriptorCount++;
    }

    private void skipField(final int tag, final int limit, final int depth) {
        switch (tag & Field.WIRE_TYPE_MASK) {
            case Field.VARINT -> readVarint(limit);
            case Field.FIXED64 -> skip(Long.BYTES, limit);
            case Field.LENGTH_DELIMITED -> position = readLength(limit);
            case Field.START_GROUP -> skipGroup(tag >>> Field.WIRE_TYPE_BITS, limit, depth);
            case Field.END_GROUP -> throw malformed("end of a group that has not started", position);
            case Field.FIXED32 -> skip(Integer.BYTES, limit);
            default -> throw malformed("wire type " + (tag & Field.WIRE_TYPE_MASK), position);
        }
    }

    private void skipGroup(final int number, final int limit, final int depth) {
        if (depth >= MAX_DEPTH) {
            throw malformed("groups nested too deep: max=" + MAX_DEPTH, position);
        }
        while (position < limit) {
            final int tag = readTag(limit);
            if ((tag & Field.WIRE_TYPE_MASK) == Field.END_GROUP) {
                if (tag >>> Field.WIRE_TYPE_BITS != number) {
                    throw malformed(
                        "group " + number + " ends as " + (tag >>> Field.WIRE_TYPE_BITS), position);
                }
                return;
            }
            skipField(tag, limit, depth + 1);
        }
        throw malformed("group " + number + " does not end", position);
    }

    // ---- Bytes

    private int readTag(final int limit) {
        final int start = position;
        final int tag = (int) readVarint(limit);
        if (tag >>> Field.WIRE_TYPE_BITS == 0) {
            throw malformed("field number 0", start);
        }
        return tag;
    }

    /** Reads a length; returns the position where what it measures ends. */
    private int readLength(final int limit) {
        final int start = position;
        final int value = (int) readVarint(limit);
        if (value < 0 || value > limit - position) {
            throw malformed("length overruns its parent: length=" + value + ", left=" + (limit - position), start);
        }
        return position + value;
    }

    private void skip(final int bytes, final int limit) {
        if (bytes > limit - position) {
            throw malformed("fixed field overruns its parent: length=" + bytes + ", left=" + (limit - position),
                position);
        }
        position += bytes;
    }

    private long readVarint(final int limit) {
        final int start = position;
        if (start < limit) {
            final byte only = UnsafeApi.getByte(base, address + start);
            if (only >= 0) {
                position = start + 1;
                return only;
            }
        }
        return readLongVarint(start, limit);
    }

    private long readLongVarint(final int start, final int limit) {
        final int end = Varint.end(base, address, start, limit);
        if (end < 0) {
            throw malformed(end == Varint.TRUNCATED
                ? "varint overruns its parent: left=" + (limit - start)
                : "varint of more than " + Varint.MAX_LENGTH + " bytes", start);
        }
        position = end;
        return Varint.get(base, address, start, end);
    }

    private void reset(final int newCommand) {
        command = newCommand;
        handle = 0;
        cookie = 0;
        errorCode = 0;
        count = 0;
        fileOffset = 0;
        size = 0;
        length = 0;
        bytesWritten = 0;
        blobPosition = 0;
        blobLength = 0;
        pathPosition = 0;
        pathLength = 0;
        descriptorCount = 0;
        notice = Notice.NONE;
        subject = 0;
        amount = 0;
        bits = 0;
        reason = 0;
        sync = 0;
        if (hasAttributes) {
            resetAttributes();
        }
    }

    private void resetAttributes() {
        hasAttributes = false;
        mode = 0;
        links = 0;
        blocks = 0;
        accessTimeNs = 0;
        modificationTimeNs = 0;
        changeTimeNs = 0;
    }

    private int checkIndex(final int index) {
        if (index < 0 || index >= descriptorCount) {
            throw new IndexOutOfBoundsException("descriptor index=" + index + ", count=" + descriptorCount);
        }
        return index;
    }

    private MalformedMessageException malformed(final String reason, final int at) {
        // So that half a message is not taken for a whole one.
        reset(Command.NONE);
        return new MalformedMessageException(reason, at);
    }
}
