/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.session;

import io.vsockproxy.link.InboundBuffer;
import io.vsockproxy.link.Link;
import io.vsockproxy.posix.SplicePipe;
import io.vsockproxy.wire.BlobPrefix;

/**
 * The answer to a read of the other side's file, while its bytes are coming through the link's pipe.
 *
 * <p>Its header stays in the inbound buffer until all bytes have come: if they come in more pieces than the pipe can
 * hold, they are copied behind the header, and the frame is handled like any other.
 */
final class SplicedRead {
    private final Session session;
    private final Link link;
    private final InboundBuffer inbound;
    private long cookie;
    private int headerLength;
    private int frameLength;
    private int remaining;

    SplicedRead(final Session session, final Link link) {
        this.session = session;
        this.link = link;
        this.inbound = link.inbound();
    }

    /** Whether an answer is coming through the pipe. */
    boolean isUnderWay() {
        return remaining > 0;
    }

    /** How many bytes are still to come; 0 when no answer is. */
    int remaining() {
        return remaining;
    }

    /** The length of the frame's header, in bytes. */
    int headerLength() {
        return headerLength;
    }

    /**
     * Begins with the frame at the inbound buffer's head, of which little more than the header has arrived.
     *
     * @return false if it must come through the inbound buffer instead.
     */
    boolean begin(final BlobPrefix prefix, final int newHeaderLength, final int newFrameLength) {
        final SplicePipe pipe = link.inboundPipe();
        final int come = inbound.available() - newHeaderLength;
        if (pipe == null || come >= prefix.blobLength()) {
            return false;
        }
        if (!put(prefix, come, pipe)) {
            pipe.discard();
            return false;
        }
        cookie = prefix.cookie();
        headerLength = newHeaderLength;
        frameLength = newFrameLength;
        remaining = (int) prefix.blobLength() - come;
        return true;
    }

    /** Puts what has come of the answer into the pipe, and in front of it what the kernel wants there. */
    private boolean put(final BlobPrefix prefix, final int come, final SplicePipe pipe) {
        return session.fileRequests().beginSplice(prefix.cookie(), pipe, prefix.blobLength())
            && (come == 0 || pipe.write(inbound.address(prefix.blobOffset(), come), come));
    }

    /**
     * {@code length} more bytes have come. Returns true when these were the last, and the answer has been passed on.
     */
    boolean onSpliced(final SplicePipe pipe, final int length) {
        remaining -= length;
        if (remaining > 0) {
            return false;
        }
        inbound.consume(inbound.available());
        session.counters().framesIn++;
        session.fileRequests().onSpliced(cookie, pipe);
        return true;
    }

    /** The pipe is full: moves what has come to the inbound buffer, where the rest will come too. */
    void onPipeFull(final SplicePipe pipe) {
        inbound.require(frameLength);
        final int come = frameLength - remaining - inbound.available();
        // The pipe also contains what was put in front for the kernel (the FUSE header), which is skipped.
        int ahead = pipe.length() - come;
        while (pipe.length() > 0) {
            final int count = pipe.read();
            final int skipped = Math.min(ahead, count);
            ahead -= skipped;
            inbound.append(pipe.piece(), skipped, count - skipped);
        }
        remaining = 0;
    }
}
