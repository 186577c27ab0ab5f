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
    /** amount bytes of the stream subject have been passed on to its application. */
    public static final int CREDIT = 2;
    /** No more bytes will come for subject. */
    public static final int HALF_CLOSE = 3;
    /** Asks for a {@link #PONG} with the same amount. */
    public static final int PING = 4;
    /** Answers a {@link #PING}. */
    public static final int PONG = 5;
    /** The application at stream subject takes no more bytes, although it may still send some. */
    public static final int STOP_SENDING = 6;
    /** The request with the cookie subject, for a {@link DescriptorType#FIFO}, is to be answered soon. */
    public static final int CANCEL = 7;
    /** Asks for a {@link #READY}: whether the FIFO subject can be read or written. */
    public static final int WATCH = 8;
    /** Answers a {@link #WATCH}, or says that the events it asked for may have occurred. */
    public static final int READY = 9;

    /** In a GREETING's bits: the sender accepts {@link DescriptorType#FIFO}, and knows CANCEL, WATCH and READY. */
    public static final int FIFOS = 1;
    /** In a GREETING's bits: the sender accepts early data in a ConnectRequest. */
    public static final int EARLY_DATA = 2;
    /** In a STOP_SENDING's bits: the application still exists, and has only shut down its receiving side. */
    public static final int SHUT = 1;
    /** In a WATCH's bits, beside those of poll(2): another READY is wanted when the events occur. */
    public static final int WAKE = 1 << 16;

    static final int NOTICE_FIELD = 11;
    static final int SUBJECT_FIELD = 12;
    static final int AMOUNT_FIELD = 13;
    static final int BITS_FIELD = 14;
    static final int REASON_FIELD = 15;

    private Notice() {
    }
}
