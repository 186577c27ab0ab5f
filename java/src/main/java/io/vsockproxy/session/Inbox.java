/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.session;

import io.vsockproxy.config.SessionLimits;
import io.vsockproxy.link.InboundBuffer;
import io.vsockproxy.link.Link;
import io.vsockproxy.loop.EndOfTurnTask;
import io.vsockproxy.loop.EventLoop;
import io.vsockproxy.posix.SplicePipe;
import io.vsockproxy.stream.Stream;
import io.vsockproxy.wire.BlobPrefix;
import io.vsockproxy.wire.Command;
import io.vsockproxy.wire.FrameDescriptor;
import io.vsockproxy.wire.MessageDecoder;

/**
 * Walks the received frames where they lie in the inbound buffer, and passes each to the session. Confined to the
 * loop's thread.
 *
 * <p>The blob of a Data frame without descriptors can be passed on in parts: when the frame has not completely arrived,
 * and when its stream has room for only a part. Any other frame must be complete first. When one stream, or all
 * together, have too much queued, the walk stops, and with it the reading of the link, until there is room.
 *
 * <p>A large blob for a stream that accepts splices, or for the FUSE mount, need not enter the inbound buffer at all.
 * After one large blob more are likely, and so is a large answer after a large read has been requested. Then the next
 * receive asks for only a header; if that announces a large blob, the blob goes through the pipe: in parts as they
 * arrive for a Data frame, and as a whole for a read's answer.
 */
final class Inbox {
    /** In bytes: a smaller part of an incomplete frame is not worth a write of its own. */
    private static final int MIN_PART_LENGTH = 16 * 1024;

    /** In bytes: copying a smaller blob is faster than two calls of splice(2). */
    private static final int MIN_SPLICE_LENGTH = 16 * 1024;

    /** In bytes: the longest header of a frame that can be spliced is shorter than this. */
    private static final int MAX_HEADER_LENGTH = 64;

    /** In bytes: few headers of a large read's answer are shorter. The rest of a longer one is received next. */
    private static final int ANSWER_HEADER_LENGTH = 20;

    /**
     * This many small frames take about as long as one large one; after them, everything else gets a turn. A
     * descriptor, for which something has to be created, counts as a frame.
     */
    private static final int MAX_FRAMES_AT_ONCE = 512;

    private final Session session;
    private final EventLoop loop;
    private final Link link;
    private final InboundBuffer inbound;
    private final SessionLimits limits;
    private final MessageDecoder decoder;
    private final BlobPrefix prefix = new BlobPrefix();
    private final SplicedRead splicedRead;
    private long framesWalked;
    /** How much of {@link #MAX_FRAMES_AT_ONCE} is left. */
    private int framesLeft;
    /** The handle of the Data whose blob is being passed on in parts; meaningful while partRemaining is not 0. */
    private long partHandle;
    private long partRemaining;
    /** The length of the next frame's header, if one with a large blob is expected; otherwise 0. */
    private int expectedHeaderLength;
    private boolean blocked;
    private Stream blockedBy;
    /** The walk goes on when no more than this is queued: bytes for that stream, descriptors for all streams. */
    private int goOnQueueLength;
    private int goOnDescriptors;
    /** Whether the link is not read because there are more frames than one walk handles. */
    private boolean interrupted;
    private final EndOfTurnTask goOn = new EndOfTurnTask() {
        @Override
        protected void run() {
            Inbox.this.session.onReceived();
        }
    };

    Inbox(final Session session, final EventLoop loop, final Link link, final SessionLimits limits) {
        this.session = session;
        this.loop = loop;
        this.link = link;
        this.inbound = link.inbound();
        this.limits = limits;
        this.splicedRead = new SplicedRead(session, link);
        this.decoder = new MessageDecoder(limits.maxDescriptorsPerFrame());
    }

    /** The number, from 1, of the frame being walked: for error messages. */
    long frameNumber() {
        return framesWalked + 1;
    }

    /** Whether the link is not read because too much waits for local readers. */
    boolean isBlocked() {
        return blocked;
    }

    /** The one stream because of which the link is not read; null when it is all of them together, or none. */
    Stream blockedBy() {
        return blockedBy;
    }

    /**
     * Handles what has been received, as long as the session lives and has room. Of many frames, some are handled now
     * and the rest in the following turns.
     */
    void walk() {
        boolean more = !splicedRead.isUnderWay();
        framesLeft = MAX_FRAMES_AT_ONCE;
        while (more && framesLeft > 0 && !blocked && !session.hasEnded()) {
            more = partRemaining > 0 ? passPart() : nextFrame();
            framesLeft--;
        }
        if (framesLeft <= 0 || interrupted) {
            interrupt(more && !blocked && !session.hasEnded());
        }
    }

    /**
     * Postpones the rest of a walk to the next turn, and stops reading the link, for whose bytes there may be no room;
     * or, when nothing more is left, resumes reading.
     */
    private void interrupt(final boolean more) {
        if (more) {
            loop.atEndOfTurn(goOn);
            if (!interrupted) {
                link.pauseReading();
            }
        } else if (interrupted && !blocked && !session.hasEnded()) {
            link.resumeReading();
        }
        interrupted = more;
    }

    /** See LinkHandler.spliceableLength. */
    int spliceableLength() {
        if (splicedRead.isUnderWay()) {
            return splicedRead.remaining();
        }
        if (partRemaining == 0 || inbound.available() > 0 || blocked
            || session.queuedBytes() >= limits.maxSessionQueueLength()) {
            return 0;
        }
        final Stream stream = session.writableStream(partHandle);
        return stream != null && stream.takesSplices() ? (int) Math.min(partRemaining, SplicePipe.INBOUND_CAPACITY) : 0;
    }

    /** See LinkHandler.onSpliced. */
    void onSpliced(final SplicePipe pipe, final int length) {
        if (!splicedRead.isUnderWay()) {
            partRemaining -= length;
            session.onData(session.writableStream(partHandle), pipe);
        } else if (splicedRead.onSpliced(pipe, length)) {
            expectedHeaderLength = splicedRead.headerLength();
            framesWalked++;
        }
    }

    /** See LinkHandler.onPipeFull: a read's answer came in too many pieces. */
    void onPipeFull(final SplicePipe pipe) {
        splicedRead.onPipeFull(pipe);
        expectedHeaderLength = 0;
    }

    /** A read of {@code count} bytes of the peer's file has been requested, whose answer may go through the pipe. */
    void onReadRequested(final long count) {
        if (count >= MIN_SPLICE_LENGTH && expectedHeaderLength == 0 && inbound.available() == 0) {
            expectedHeaderLength = ANSWER_HEADER_LENGTH;
        }
    }

    /** See LinkHandler.receiveLength. */
    int receiveLength() {
        if (expectedHeaderLength == 0) {
            return Integer.MAX_VALUE;
        }
        if (partRemaining > 0) {
            // Its stream no longer accepts splices.
            return (int) Math.min(Integer.MAX_VALUE, partRemaining + expectedHeaderLength);
        }
        return inbound.available() == 0 ? expectedHeaderLength : MAX_HEADER_LENGTH;
    }

    /** Whether there is enough room to go on after having been blocked. */
    boolean hasRoom() {
        return session.queuedBytes() <= limits.maxSessionQueueLength() / 2
            && session.queuedDescriptors() <= goOnDescriptors && !isBlockedByOne();
    }

    /** Whether a single stream alone is why the link is not read. */
    boolean isBlockedByOne() {
        return blockedBy != null && !blockedBy.isClosed() && blockedBy.queueLength() > goOnQueueLength;
    }

    /** Some room has become free: goes on if that is enough. */
    void unblock() {
        if (blocked && hasRoom()) {
            blocked = false;
            blockedBy = null;
            link.resumeReading();
            walk();
        }
    }

    /** A hint for the error message when the peer's first bytes are text, and so probably of another protocol. */
    private String strangersText(final int head) {
        for (int i = 0; i < FrameDescriptor.SIZE_LENGTH; i++) {
            final byte character = inbound.buffer().getByte(head + i);
            if (framesWalked > 0 || character < ' ' || character > '~') {
                return "";
            }
        }
        return "; the peer is not a proxy: it sent '"
            + inbound.buffer().getStringWithoutLengthAscii(head, FrameDescriptor.SIZE_LENGTH) + "'";
    }

    private boolean nextFrame() {
        final int available = inbound.available();
        if (available < FrameDescriptor.SIZE_LENGTH) {
            return false;
        }
        final int head = inbound.head();
        final long bodyLength = FrameDescriptor.bodyLength(inbound.buffer(), head);
        if (bodyLength < 0 || bodyLength > limits.maxFrameLength()) {
            throw new ProtocolException("frame too large: size=" + Long.toUnsignedString(bodyLength)
                + ", max=" + limits.maxFrameLength() + strangersText(head));
        }
        if (session.queuedBytes() >= limits.maxSessionQueueLength()) {
            return block(null);
        }
        final int frameLength = FrameDescriptor.SIZE_LENGTH + (int) bodyLength;
        if (available < frameLength) {
            return beginPart(head, available, frameLength);
        }
        expectedHeaderLength = 0;
        // Nearly every frame is a Data of a handle and a blob: this takes half as many instructions as the decoder.
        if (prefix.wrap(inbound.buffer(), head, frameLength) && prefix.command() == Command.DATA) {
            return passBlob(prefix.handle(), prefix.blobOffset(), (int) prefix.blobLength(), head + frameLength);
        }
        decoder.wrap(inbound.buffer(), head + FrameDescriptor.SIZE_LENGTH, (int) bodyLength);
        if (decoder.command() == Command.DATA) {
            if (decoder.descriptorCount() == 0) {
                return passBlob(
                    decoder.handle(), decoder.blobOffset(), decoder.blobLength(), head + frameLength);
            }
            final Stream stream = session.writableStream(decoder.handle());
            if (stream != null && stream.queueLength() >= limits.maxStreamQueueLength()) {
                return block(stream);
            }
            final int waiting = session.queuedDescriptors();
            if (waiting > 0 && waiting + decoder.descriptorCount() > limits.maxDescriptorsInFlight()) {
                return block(null, 0, decoder.descriptorCount());
            }
            framesLeft -= decoder.descriptorCount();
        }
        if (decoder.command() == Command.PREAD_RESPONSE && decoder.blobLength() >= MIN_SPLICE_LENGTH
            && decoder.blobOffset() + decoder.blobLength() == head + frameLength) {
            expectedHeaderLength = Math.min(decoder.blobOffset() - head, MAX_HEADER_LENGTH);
        }
        session.dispatch(decoder);
        framesWalked++;
        if (!session.hasEnded()) {
            inbound.consume(frameLength);
        }
        return true;
    }

    /** A complete Data frame without descriptors: passes its blob on, or as much of it as there is room for. */
    private boolean passBlob(final long handle, final int blobOffset, final int blobLength, final int frameEnd) {
        final Stream stream = session.writableStream(handle);
        if (stream != null && stream.queueLength() > 0
            && stream.queueLength() + (long) blobLength > limits.maxStreamQueueLength()) {
            // Only a blob at the end of its frame can be passed on in parts.
            if (!stream.takesParts() || blobOffset + blobLength < frameEnd) {
                return block(stream, blobLength, 0);
            }
            begin(stream);
            partHandle = handle;
            partRemaining = blobLength;
            inbound.consume(blobOffset - inbound.head());
            return true;
        }
        begin(stream);
        if (blobLength >= MIN_SPLICE_LENGTH) {
            expectAnother(stream, blobOffset - inbound.head());
        }
        session.onData(stream, inbound.buffer(), blobOffset, blobLength);
        inbound.consume(frameEnd - inbound.head());
        return true;
    }

    private void begin(final Stream stream) {
        framesWalked++;
        session.onDataFrame(stream);
    }

    /**
     * An incomplete frame: begins to pass its blob on in parts if that is possible and worthwhile; otherwise waits for
     * the rest.
     */
    private boolean beginPart(final int head, final int available, final int frameLength) {
        if ((available >= MIN_PART_LENGTH || expectedHeaderLength > 0)
            && prefix.wrap(inbound.buffer(), head, available)) {
            final int headerLength = prefix.blobOffset() - head;
            if (prefix.command() == Command.PREAD_RESPONSE) {
                if (expectedHeaderLength > 0 && prefix.blobLength() >= MIN_SPLICE_LENGTH
                    && available < headerLength + MAX_HEADER_LENGTH
                    && splicedRead.begin(prefix, headerLength, frameLength)) {
                    return false;
                }
            } else if (beginData(headerLength, available)) {
                return true;
            }
        }
        if (available >= MAX_HEADER_LENGTH) {
            expectedHeaderLength = 0;
        }
        inbound.require(frameLength);
        return false;
    }

    private boolean beginData(final int headerLength, final int available) {
        final Stream stream = session.writableStream(prefix.handle());
        expectedHeaderLength = 0;
        if (prefix.blobLength() >= MIN_SPLICE_LENGTH) {
            expectAnother(stream, headerLength);
        }
        if (available >= MIN_PART_LENGTH ? stream != null && !stream.takesParts() : expectedHeaderLength == 0) {
            return false;
        }
        begin(stream);
        partHandle = prefix.handle();
        partRemaining = prefix.blobLength();
        inbound.consume(headerLength);
        return true;
    }

    private void expectAnother(final Stream stream, final int headerLength) {
        if (stream != null && stream.takesSplices() && headerLength <= MAX_HEADER_LENGTH) {
            expectedHeaderLength = headerLength;
        }
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
        return block(stream, 0, 0);
    }

    /**
     * Stops the walk until no more than half of the limit is queued, or less if the next message needs more room.
     *
     * @param length      bytes of the next message for the stream if it cannot be passed on in parts; otherwise 0.
     * @param descriptors how many the next message has.
     */
    private boolean block(final Stream stream, final int length, final int descriptors) {
        final int maxLength = limits.maxStreamQueueLength();
        final int maxDescriptors = limits.maxDescriptorsInFlight();
        goOnQueueLength = Math.max(0, Math.min(maxLength / 2, maxLength - length));
        goOnDescriptors = Math.max(0, Math.min(maxDescriptors / 2, maxDescriptors - descriptors));
        blocked = true;
        blockedBy = stream;
        link.pauseReading();
        session.onBlocked();
        return false;
    }
}
