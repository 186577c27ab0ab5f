/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.counters;

/**
 * The counters of a proxy. A counter's id in the file is its ordinal; its type id is 0 for a gauge (a current value)
 * and 1 for a count of what has happened since the proxy started.
 *
 * <p>The live descriptors form a ledger: every part of the proxy reports the descriptors it holds, so their sum is what
 * /proc/PID/fd shows beyond what it showed when the proxy had started, or one has leaked. Files that are being closed
 * and links that are being connected are not included.
 */
public enum CounterId {
    /** Links to peers. */
    SESSIONS("sessions", true),
    /** Handles that stand for sockets and pipes. */
    STREAM_HANDLES("handles: streams", true),
    /** Handles that stand for files of this side. */
    LOCAL_FILE_HANDLES("handles: files of this side", true),
    /** Handles that stand for files of the other side. */
    REMOTE_FILE_HANDLES("handles: files of the other side", true),
    /** Descriptors of links. */
    LINK_DESCRIPTORS("live descriptors: links", true),
    /**
     * Descriptors of listening sockets, and of accepted connections that wait there for a descriptor of a lower number.
     */
    LISTENER_DESCRIPTORS("live descriptors: listeners", true),
    /** Descriptors of connections being made, in both directions. */
    CONNECT_DESCRIPTORS("live descriptors: connects under way", true),
    /** Descriptors of connected stream sockets. */
    STREAM_SOCKET_DESCRIPTORS("live descriptors: stream sockets", true),
    /** Descriptors of datagram sockets. */
    DATAGRAM_SOCKET_DESCRIPTORS("live descriptors: datagram sockets", true),
    /** Descriptors of seqpacket sockets. */
    SEQPACKET_SOCKET_DESCRIPTORS("live descriptors: seqpacket sockets", true),
    /** Descriptors of pipes' read ends. */
    PIPE_READER_DESCRIPTORS("live descriptors: pipes' read ends", true),
    /** Descriptors of pipes' write ends. */
    PIPE_WRITER_DESCRIPTORS("live descriptors: pipes' write ends", true),
    /** Descriptors of files of this side. */
    FILE_DESCRIPTORS("live descriptors: files", true),
    /** Descriptors received over the link whose frame has not been processed yet. */
    RECEIVED_DESCRIPTORS("live descriptors: received", true),
    /** Descriptors queued for a local reader, including files that are still to be opened. */
    QUEUED_DESCRIPTORS("live descriptors: waiting for readers", true),
    /** Descriptors that wait to be sent on the link. */
    OUTGOING_DESCRIPTORS("live descriptors: waiting for the link", true),
    /** Descriptors of the connections beside links, and those that wait there. */
    BESIDE_DESCRIPTORS("live descriptors: beside links", true),
    /** Descriptors used to watch datagram sockets and the sockets of busy streams, while there are any. */
    WATCH_DESCRIPTORS("live descriptors: watch over sockets", true),
    /** Descriptors of sockets whose streams have ended, to be closed a moment later. */
    CLOSING_DESCRIPTORS("live descriptors: about to be closed", true),
    /** Bytes that wait for local readers, including what is charged for packets and descriptors. */
    QUEUED_BYTES("bytes waiting for readers", true),
    /** Bytes that wait to be sent on links. */
    OUTGOING_BYTES("bytes waiting for links", true),
    /** Links that are not read, because too much waits for local readers. */
    BLOCKED_SESSIONS("links not read because of readers", true),
    /** Sessions begun. */
    SESSIONS_BEGUN("sessions begun", false),
    /** Guests that were refused. */
    GUESTS_REFUSED("guests refused", false),
    /** Frames received. */
    FRAMES_IN("frames in", false),
    /** Frames sent. */
    FRAMES_OUT("frames out", false),
    /** Stream bytes received. */
    BYTES_IN("bytes in", false),
    /** Stream bytes sent. */
    BYTES_OUT("bytes out", false),
    /** Connects of peers refused by the list of allowed paths, by a limit or for want of descriptors. */
    CONNECTS_REFUSED("connects refused", false),
    /** Streams closed because their readers took nothing. */
    STREAMS_STALLED("streams closed: stalled", false),
    /** Streams reset by an application here. */
    RESETS_OUT("resets out", false),
    /** Streams reset by the other side. */
    RESETS_IN("resets in", false),
    /** Times that descriptors were lost because this process had no descriptor numbers left for them (MSG_CTRUNC). */
    CONTROL_DATA_TRUNCATED("control data truncated", false),
    /** Descriptors received for a stream that could not deliver them. */
    DESCRIPTORS_UNDELIVERABLE("descriptors undeliverable", false),
    /** Descriptors passed by applications that could not be carried. */
    DESCRIPTORS_UNCARRIABLE("descriptors uncarriable", false),
    /** Messages without a known command. */
    UNKNOWN_COMMANDS("unknown commands", false),
    /** Messages for unknown handles. */
    UNKNOWN_HANDLES("unknown handles", false),
    /** Responses to no pending request. */
    UNASKED_RESPONSES("unasked responses", false),
    /** Answered reads of the other side's files. */
    PREADS("preads answered", false),
    /** How long these took in all, in ns. */
    PREAD_NS("preads, ns in all", false),
    /** How long the slowest of these took, in ns. */
    PREAD_MAX_NS("preads, ns at most", true);

    private final String label;
    private final boolean gauge;

    CounterId(final String label, final boolean gauge) {
        this.label = label;
        this.gauge = gauge;
    }

    /** Human-readable; unique. */
    public String label() {
        return label;
    }

    /** Whether it is a current value, rather than a count of what has happened so far. */
    public boolean isGauge() {
        return gauge;
    }

    /** Whether it is part of the ledger of live descriptors. */
    public boolean isDescriptors() {
        return name().endsWith("_DESCRIPTORS");
    }
}
