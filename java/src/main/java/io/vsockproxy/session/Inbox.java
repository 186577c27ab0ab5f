/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.session;

import io.vsockproxy.config.SessionLimits;
import io.vsockproxy.link.InboundBuffer;
import io.vsockproxy.link.Link;
import io.vsockproxy.stream.Stream;
import io.vsockproxy.wire.BlobPrefix;
import io.vsockproxy.wire.Command;
import io.vsockproxy.wire.FrameDescriptor;
import io.vsockproxy.wire.MessageDecoder;

/**
 * Walks the frames that have come in, where they lie, and hands each to the session.
 *
 * <p>A Data blob without descriptors is passed on as it comes: when its frame is not complete yet, and when the stream
 * it is for has room for a part of it only. All other frames are waited for. A stream (or all together) with too much
 * queued stops the walk, and the reading of the link with it, until there is room.
 */
final class Inbox {
    /** A smaller part of an incomplete frame is not worth a write of its own. */
    private static final int MIN_PART_LENGTH = 16 * 1024;

    private final Session session;
    private final Link link;
    private final InboundBuffer inbound;
    private final SessionLimits limits;
    private final MessageDecoder decoder;
    private final BlobPrefix prefix = new BlobPrefix();
    private long framesWalked;
    /** A blob that is being passed on in parts: for which handle, and how much of it is still to come. */
    private long partHandle;
    private long partRemaining;
    private boolean blocked;
    private Stream blockedBy;

    Inbox(final Session session, final Link link, final SessionLimits limits) {
        this.session = session;
        this.link = link;
        this.inbound = link.inbound();
        this.limits = limits;
        this.decoder = new MessageDecoder(limits.maxDescriptorsPerFrame());
    }

    /** Which frame, counted from 1, is being walked: for messages about the one that is wrong. */
    long frameNumber() {
        return framesWalked + 1;
    }

    /** Whether the link is not read because something waits for a local reader. */
    boolean isBlocked() {
        return blocked;
    }

    /** The one stream that the link is not read for; null when it is all of them together, or none. */
    Stream blockedBy() {
        return blockedBy;
    }

    /** Deals with everything that has come in, as far as the session lives and has room. */
    void walk() {
        boolean more = true;
        while (more && !blocked && !session.hasEnded()) {
            more = partRemaining > 0 ? passPart() : nextFrame();
        }
    }

    /** Room has come back, maybe enough to go on. */
    void unblock() {
        if (blocked && session.queuedBytes() <= limits.maxSessionQueueLength() / 2
            && session.queuedDescriptors() <= limits.maxDescriptorsInFlight() / 2
            && (blockedBy == null || blockedBy.isClosed()
                || blockedBy.queueLength() <= limits.maxStreamQueueLength() / 2)) {
            blocked = false;
            blockedBy = null;
            link.resumeReading();
            walk();
        }
    }

    private boolean nextFrame() {
        final int available = inbound.available();
        if (available < FrameDescriptor.SIZE_LENGTH) {
            return false;
        }
        final int head = inbound.head();
        final long bodyLength = FrameDescriptor.bodyLength(inbound.buffer(), head);
        if (bodyLength < 0 || bodyLength > limits.maxFrameLength()) {
            throw new ProtocolException(
                "frame too large: size=" + Long.toUnsignedString(bodyLength) + ", max=" + limits.maxFrameLength());
        }
        if (session.queuedBytes() >= limits.maxSessionQueueLength()) {
            return block(null);
        }
        final int frameLength = FrameDescriptor.SIZE_LENGTH + (int) bodyLength;
        if (available < frameLength) {
            return beginPart(head, available, frameLength);
        }
        decoder.wrap(inbound.buffer(), head + FrameDescriptor.SIZE_LENGTH, (int) bodyLength);
        if (decoder.command() == Command.DATA) {
            if (decoder.descriptorCount() == 0) {
                return passBlob(head, frameLength);
            }
            final Stream stream = session.writableStream(decoder.handle());
            if (stream != null && stream.queueLength() >= limits.maxStreamQueueLength()) {
                return block(stream);
            }
            final int waiting = session.queuedDescriptors();
            if (waiting > 0 && waiting + decoder.descriptorCount() > limits.maxDescriptorsInFlight()) {
                return block(null);
            }
        }
        session.dispatch(decoder);
        framesWalked++;
        if (!session.hasEnded()) {
            inbound.consume(frameLength);
        }
        return true;
    }

    /** A whole Data without descriptors: passes it on, or as much of it as there is room for. */
    private boolean passBlob(final int head, final int frameLength) {
        final Stream stream = session.writableStream(decoder.handle());
        final int blobLength = decoder.blobLength();
        if (stream != null && stream.queueLength() > 0
            && stream.queueLength() + (long) blobLength > limits.maxStreamQueueLength()) {
            // Only a blob at the end of its frame can be counted off in parts.
            if (!stream.takesParts() || !endsFrame(head, frameLength)) {
                return block(stream);
            }
            begin(stream);
            partHandle = decoder.handle();
            partRemaining = blobLength;
            inbound.consume(frameLength - blobLength);
            return true;
        }
        begin(stream);
        session.onData(stream, inbound.buffer(), decoder.blobOffset(), blobLength);
        inbound.consume(frameLength);
        return true;
    }

    private void begin(final Stream stream) {
        framesWalked++;
        session.onDataFrame(stream);
    }

    private boolean endsFrame(final int head, final int frameLength) {
        return decoder.blobOffset() + decoder.blobLength() == head + frameLength;
    }

    /** An incomplete frame: begins to pass its blob on if that is possible and worth it, else waits for the rest. */
    private boolean beginPart(final int head, final int available, final int frameLength) {
        if (available >= MIN_PART_LENGTH && prefix.wrap(inbound.buffer(), head, available)
            && prefix.command() == Command.DATA) {
            final Stream stream = session.writableStream(prefix.handle());
            if (stream == null || stream.takesParts()) {
                begin(stream);
                partHandle = prefix.handle();
                partRemaining = prefix.blobLength();
                inbound.consume(prefix.blobOffset() - head);
                return true;
            }
        }
        inbound.require(frameLength);
        return false;
    }

    private boolean passPart() {
        final int available = (int) Math.min(inbound.available(), partRemaining);
        if (available == 0) {
            return false;
        }
        final Stream stream = session.writableStream(partHandle);
        int length = available;
        if (stream != null && stream.queueLength() > 0) {
            length = Math.min(available, limits.maxStreamQueueLength() - stream.queueLength());
            if (length <= 0) {
                return block(stream);
            }
        }
        if (session.queuedBytes() >= limits.maxSessionQueueLength()) {
            return block(null);
        }
        partRemaining -= length;
        session.onData(stream, inbound.buffer(), inbound.head(), length);
        inbound.consume(length);
        return true;
    }

    private boolean block(final Stream stream) {
        blocked = true;
        blockedBy = stream;
        link.pauseReading();
        session.onBlocked();
        return false;
    }
}
