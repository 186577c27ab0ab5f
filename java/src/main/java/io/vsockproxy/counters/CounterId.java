/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.counters;

/**
 * The counters of a proxy. A counter's id in the file is its ordinal, and its type id is 0 for what is now, 1 for what
 * has happened since the proxy started.
 *
 * <p>The live descriptors are a ledger: whoever keeps a descriptor reports it, so together they are what /proc/PID/fd
 * shows beyond what it showed when the proxy had started, or one has leaked. Files that are being closed and links that
 * are being connected are not in it.
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
    /** Descriptors of listening sockets, and of connections that wait there for a descriptor of lower number. */
    LISTENER_DESCRIPTORS("live descriptors: listeners", true),
    /** Descriptors of connections that are being made, each way. */
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
    /** Descriptors that have come over the link and wait for their frame. */
    RECEIVED_DESCRIPTORS("live descriptors: received", true),
    /** Descriptors that wait, with bytes or for some, for a local reader; those still to be opened among them. */
    QUEUED_DESCRIPTORS("live descriptors: waiting for readers", true),
    /** Descriptors that wait for the link to take them. */
    OUTGOING_DESCRIPTORS("live descriptors: waiting for the link", true),
    /** Descriptors of connections beside links, and what waits there. */
    BESIDE_DESCRIPTORS("live descriptors: beside links", true),
    /** Descriptors with which datagram sockets and the sockets of busy streams are watched, while there are any. */
    WATCH_DESCRIPTORS("live descriptors: watch over sockets", true),
    /** Descriptors of sockets whose streams are over, and which are closed a moment later. */
    CLOSING_DESCRIPTORS("live descriptors: about to be closed", true),
    /** Bytes that wait for local readers, with what descriptors and packets are charged. */
    QUEUED_BYTES("bytes waiting for readers", true),
    /** Bytes that wait for links to take them. */
    OUTGOING_BYTES("bytes waiting for links", true),
    /** Links that are not read because of what waits for local readers. */
    BLOCKED_SESSIONS("links not read because of readers", true),
    /** Sessions begun. */
    SESSIONS_BEGUN("sessions begun", false),
    /** Guests that were not served. */
    GUESTS_REFUSED("guests refused", false),
    /** Frames received. */
    FRAMES_IN("frames in", false),
    /** Frames sent. */
    FRAMES_OUT("frames out", false),
    /** Bytes of streams received. */
    BYTES_IN("bytes in", false),
    /** Bytes of streams sent. */
    BYTES_OUT("bytes out", false),
    /** Connects of the peer that the list or a limit did not allow. */
    CONNECTS_REFUSED("connects refused", false),
    /** Streams closed because their readers took nothing. */
    STREAMS_STALLED("streams closed: stalled", false),
    /** Streams that an application reset. */
    RESETS_OUT("resets out", false),
    /** Streams that the other side said were reset. */
    RESETS_IN("resets in", false),
    /** Times that descriptors were lost because there were no numbers for them. */
    CONTROL_DATA_TRUNCATED("control data truncated", false),
    /** Descriptors that came for a stream that could not take them. */
    DESCRIPTORS_UNDELIVERABLE("descriptors undeliverable", false),
    /** Descriptors of applications that could not be carried. */
    DESCRIPTORS_UNCARRIABLE("descriptors uncarriable", false),
    /** Messages of no known command. */
    UNKNOWN_COMMANDS("unknown commands", false),
    /** Messages for handles that are not known. */
    UNKNOWN_HANDLES("unknown handles", false),
    /** Responses that were not waited for. */
    UNASKED_RESPONSES("unasked responses", false),
    /** Reads of the other side's files that were answered. */
    PREADS("preads answered", false),
    /** How long those took, all together. */
    PREAD_NS("preads, ns in all", false),
    /** How long the slowest took. */
    PREAD_MAX_NS("preads, ns at most", true);

    private final String label;
    private final boolean gauge;

    CounterId(final String label, final boolean gauge) {
        this.label = label;
        this.gauge = gauge;
    }

    /** For people. */
    public String label() {
        return label;
    }

    /** Whether it says how it is now, rather than how often something has happened. */
    public boolean isGauge() {
        return gauge;
    }

    /** Whether it is part of the ledger. */
    public boolean isDescriptors() {
        return name().endsWith("_DESCRIPTORS");
    }
}
