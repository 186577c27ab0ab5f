/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.wire;

/**
 * What each field of each command means: the schema, as a table from command and tag to a meaning.
 *
 * <p>A number that is known but comes with another wire type is an unknown field, hence tags and not numbers.
 */
final class MessageLayout {
    static final int UNKNOWN = 0;
    static final int HANDLE = 1;
    static final int COOKIE = 2;
    static final int ERROR_CODE = 3;
    static final int COUNT = 4;
    static final int FILE_OFFSET = 5;
    static final int SIZE = 6;
    static final int LENGTH = 7;
    static final int BYTES_WRITTEN = 8;
    static final int BLOB = 9;
    static final int PATH = 10;
    static final int TRANSFERRED_FD = 11;
    static final int NOTICE = 12;
    static final int SUBJECT = 13;
    static final int AMOUNT = 14;
    static final int REASON = 15;
    static final int MODE = 16;
    static final int LINKS = 17;
    static final int BLOCKS = 18;
    static final int ACCESS_TIME_NS = 19;
    static final int MODIFICATION_TIME_NS = 20;
    static final int CHANGE_TIME_NS = 21;
    static final int BITS = 22;
    static final int SYNC = 23;

    /** Number of the ConnectRequest's field that is an extension. */
    static final int EARLY_DATA_FIELD = 10;

    /** Number of the FstatRequest's field that is an extension. */
    static final int SYNC_FIELD = 10;

    /** Numbers of the FstatResponse's fields that are an extension: docs/protocol-extensions.md. */
    static final int MODE_FIELD = 10;
    static final int LINKS_FIELD = 11;
    static final int BLOCKS_FIELD = 12;
    static final int ACCESS_TIME_FIELD = 13;
    static final int MODIFICATION_TIME_FIELD = 14;
    static final int CHANGE_TIME_FIELD = 15;

    /** Tags of the fields of a {@code FileDescriptor}. */
    static final int DESCRIPTOR_TYPE_TAG = Field.varintTag(1);
    static final int DESCRIPTOR_HANDLE_TAG = Field.varintTag(2);
    static final int DESCRIPTOR_FLAGS_TAG = Field.varintTag(5);
    /** Number of the FileDescriptor's field that is an extension. */
    static final int DESCRIPTOR_POSITION_FIELD = 10;
    static final int DESCRIPTOR_POSITION_TAG = Field.varintTag(DESCRIPTOR_POSITION_FIELD);

    /** Every field of a command has a number below 16, and so a tag below 128. */
    private static final int TAG_BITS = 7;
    private static final int TAG_LIMIT = 1 << TAG_BITS;

    private static final byte[] MEANINGS = new byte[(Command.FTRUNCATE_RESPONSE + 1) << TAG_BITS];

    static {
        define(Command.CLOSE, HANDLE);
        defineVarint(Command.CLOSE, Notice.NOTICE_FIELD, NOTICE);
        defineVarint(Command.CLOSE, Notice.SUBJECT_FIELD, SUBJECT);
        defineVarint(Command.CLOSE, Notice.AMOUNT_FIELD, AMOUNT);
        defineVarint(Command.CLOSE, Notice.BITS_FIELD, BITS);
        defineVarint(Command.CLOSE, Notice.REASON_FIELD, REASON);
        define(Command.DATA, HANDLE, BLOB, TRANSFERRED_FD);
        define(Command.CONNECT_REQUEST, COOKIE, PATH);
        defineBytes(Command.CONNECT_REQUEST, EARLY_DATA_FIELD, BLOB);
        define(Command.CONNECT_RESPONSE, COOKIE, ERROR_CODE, HANDLE);
        define(Command.PREAD_REQUEST, COOKIE, HANDLE, COUNT, FILE_OFFSET);
        define(Command.PREAD_RESPONSE, COOKIE, ERROR_CODE, BLOB);
        define(Command.PWRITE_REQUEST, COOKIE, HANDLE, BLOB, FILE_OFFSET);
        define(Command.PWRITE_RESPONSE, COOKIE, ERROR_CODE, BYTES_WRITTEN);
        define(Command.FSTAT_REQUEST, COOKIE, HANDLE);
        defineVarint(Command.FSTAT_REQUEST, SYNC_FIELD, SYNC);
        define(Command.FSTAT_RESPONSE, COOKIE, ERROR_CODE, SIZE);
        defineVarint(Command.FSTAT_RESPONSE, MODE_FIELD, MODE);
        defineVarint(Command.FSTAT_RESPONSE, LINKS_FIELD, LINKS);
        defineVarint(Command.FSTAT_RESPONSE, BLOCKS_FIELD, BLOCKS);
        defineVarint(Command.FSTAT_RESPONSE, ACCESS_TIME_FIELD, ACCESS_TIME_NS);
        defineVarint(Command.FSTAT_RESPONSE, MODIFICATION_TIME_FIELD, MODIFICATION_TIME_NS);
        defineVarint(Command.FSTAT_RESPONSE, CHANGE_TIME_FIELD, CHANGE_TIME_NS);
        define(Command.FTRUNCATE_REQUEST, COOKIE, HANDLE, LENGTH);
        define(Command.FTRUNCATE_RESPONSE, COOKIE, ERROR_CODE);
    }

    private MessageLayout() {
    }

    /** What a field of {@code command} means, or {@link #UNKNOWN}. */
    static int meaning(final int command, final int tag) {
        // A tag is unsigned: a negative one is a large field number.
        return tag >= 0 && tag < TAG_LIMIT ? MEANINGS[(command << TAG_BITS) | tag] : UNKNOWN;
    }

    /** Whether {@code tag}, at the top of a body, starts a command, whose number is then that of the field. */
    static boolean isCommand(final int tag) {
        return (tag & Field.WIRE_TYPE_MASK) == Field.LENGTH_DELIMITED
            && tag >>> Field.WIRE_TYPE_BITS <= Command.FTRUNCATE_RESPONSE;
    }

    private static void define(final int command, final int... meanings) {
        for (int i = 0; i < meanings.length; i++) {
            final int meaning = meanings[i];
            final boolean isBytes = meaning == BLOB || meaning == PATH || meaning == TRANSFERRED_FD;
            final int tag = isBytes ? Field.lengthDelimitedTag(i + 1) : Field.varintTag(i + 1);
            MEANINGS[(command << TAG_BITS) | tag] = (byte) meaning;
        }
    }

    private static void defineBytes(final int command, final int number, final int meaning) {
        MEANINGS[(command << TAG_BITS) | Field.lengthDelimitedTag(number)] = (byte) meaning;
    }

    private static void defineVarint(final int command, final int number, final int meaning) {
        MEANINGS[(command << TAG_BITS) | Field.varintTag(number)] = (byte) meaning;
    }
}
