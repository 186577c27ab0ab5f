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
 * Walks the frames that have come in, where they lie, and hands each to the session.
 *
 * <p>A Data blob without descriptors is passed on as it comes: when its frame is not complete yet, and when the stream
 * it is for has room for a part of it only. All other frames are waited for. A stream (or all together) with too much
 * queued stops the walk, and the reading of the link with it, until there is room.
 *
 * <p>A large blob for a stream that takes it from a pipe, or for the kernel's file system, need not come into the
 * inbound buffer at all. Where one has come, more are likely: so the next time no more than a header is received, and
 * if it is that of another one, the blob goes through the pipe: a Data's as it comes, that of a read's answer when it
 * is complete.
 */
final class Inbox {
    /** A smaller part of an incomplete frame is not worth a write of its own. */
    private static final int MIN_PART_LENGTH = 16 * 1024;

    /** A smaller blob is copied in less time than two calls of splice(2) take. */
    private static final int MIN_SPLICE_LENGTH = 16 * 1024;

    /** No header of a frame that can be spliced is longer. */
    private static final int MAX_HEADER_LENGTH = 64;

    /**
     * So many small frames take about as long as a large one; then it is the turn of everything else. A descriptor,
     * for which something has to be made, counts as a frame.
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
    /** A blob that is being passed on in parts: for which handle, and how much of it is still to come. */
    private long partHandle;
    private long partRemaining;
    /** How long the last frame's header was, if another frame like it is expected; else 0. */
    private int expectedHeaderLength;
    private boolean blocked;
    private Stream blockedBy;
    /** Whether the link is not read because there are more frames than one go takes. */
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

    /** Which frame, counted from 1, is being walked: for messages about the one that is wrong. */
    long frameNumber() {
        return framesWalked + 1;
    }

    /** Whether the link is not read because something waits for a local reader. */
    boolean isBlocked() {
        return blocked;
    }

    /** The one stream that the link is not read for, or was at first; null when it is all of them together, or none. */
    Stream blockedBy() {
        return blockedBy;
    }

    /**
     * Deals with what has come in, as far as the session lives and has room: all of it, or, if that is many frames,
     * some now and the rest in the turns that follow.
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

    /** Puts the rest of a walk off, and the reading of the link, for whose bytes there may be no room; or ends that. */
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

    /** See {@link Link}: what is to come of a blob that may go through the pipe. */
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

    /** See {@link Link}: {@link #spliceableLength} bytes or fewer have come through the pipe. */
    void onSpliced(final SplicePipe pipe, final int length) {
        if (!splicedRead.isUnderWay()) {
            partRemaining -= length;
            session.onData(session.writableStream(partHandle), pipe);
        } else if (splicedRead.onSpliced(pipe, length)) {
            expectedHeaderLength = splicedRead.headerLength();
            framesWalked++;
        }
    }

    /** See {@link Link}: an answer in too many pieces. */
    void onPipeFull(final SplicePipe pipe) {
        splicedRead.onPipeFull(pipe);
        expectedHeaderLength = 0;
    }

    /** See {@link Link}: how many bytes to receive at most. */
    int receiveLength() {
        if (expectedHeaderLength == 0) {
            return Integer.MAX_VALUE;
        }
        if (partRemaining > 0) {
            // Its stream takes no splices any more.
            return (int) Math.min(Integer.MAX_VALUE, partRemaining + expectedHeaderLength);
        }
        return inbound.available() == 0 ? expectedHeaderLength : MAX_HEADER_LENGTH;
    }

    /** Whether there is room enough to go on after it has been blocked. */
    boolean hasRoom() {
        return session.queuedBytes() <= limits.maxSessionQueueLength() / 2
            && session.queuedDescriptors() <= limits.maxDescriptorsInFlight() / 2 && !isBlockedByOne();
    }

    /** Whether it is one stream alone that the link is not read for. */
    boolean isBlockedByOne() {
        return blockedBy != null && !blockedBy.isClosed()
            && blockedBy.queueLength() > limits.maxStreamQueueLength() / 2;
    }

    /** Room has come back, maybe enough to go on. */
    void unblock() {
        if (blocked && hasRoom()) {
            blocked = false;
            blockedBy = null;
            link.resumeReading();
            walk();
        }
    }

    /** What the peer's first bytes are when they are text: of another protocol, as it may happen to anyone. */
    private String strangersText(final int head) {
        for (int i = 0; i < FrameDescriptor.SIZE_LENGTH; i++) {
            final byte character = inbound.buffer().getByte(head + i);
            if (framesWalked > 0 || character < ' ' || character > '~') {
                return "";
            }
        }
        return ": no proxy there, but something that says '"
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
            framesLeft -= decoder.descriptorCount();
        }
        if (decoder.command() == Command.PREAD_RESPONSE && decoder.blobLength() >= MIN_SPLICE_LENGTH
            && endsFrame(head, frameLength)) {
            expectedHeaderLength = Math.min(decoder.blobOffset() - head, MAX_HEADER_LENGTH);
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
        if (blobLength >= MIN_SPLICE_LENGTH) {
            expectAnother(stream, decoder.blobOffset() - head);
        }
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
        blocked = true;
        blockedBy = stream;
        link.pauseReading();
        session.onBlocked();
        return false;
    }
}
