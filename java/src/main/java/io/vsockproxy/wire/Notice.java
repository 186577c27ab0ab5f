/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.wire;

/**
 * The extension's messages: extra fields of a Close with handle 0, which implementations without it ignore.
 */
public final class Notice {
    /** No notice: a plain Close. */
    public static final int NONE = 0;
    /** The sender understands the extension; amount is the window that each stream begins with, in bytes. */
    public static final int GREETING = 1;
    /** amount bytes of subject's have been passed on to its application. */
    public static final int CREDIT = 2;
    /** No more bytes will come for subject. */
    public static final int HALF_CLOSE = 3;
    /** Asks for a {@link #PONG} with the same amount. */
    public static final int PING = 4;
    /** Answers a {@link #PING}. */
    public static final int PONG = 5;
    /** subject's application takes no more bytes, although its own may still come. */
    public static final int STOP_SENDING = 6;

    static final int NOTICE_FIELD = 11;
    static final int SUBJECT_FIELD = 12;
    static final int AMOUNT_FIELD = 13;
    static final int REASON_FIELD = 15;

    private Notice() {
    }
}
