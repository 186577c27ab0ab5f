/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.session;

import io.vsockproxy.link.ExternalPiece;
import io.vsockproxy.link.Link;
import io.vsockproxy.link.OutboundRing;
import io.vsockproxy.posix.ControlData;
import io.vsockproxy.posix.FileAttributes;
import io.vsockproxy.posix.SplicePipe;
import io.vsockproxy.wire.ConnectRequestHeader;
import io.vsockproxy.wire.DataHeader;
import io.vsockproxy.wire.MessageEncoder;
import io.vsockproxy.wire.PreadResponseHeader;
import io.vsockproxy.wire.PwriteRequestHeader;
import org.agrona.DirectBuffer;
import org.agrona.MutableDirectBuffer;
import org.agrona.concurrent.UnsafeBuffer;

/**
 * Writes this session's messages into the link's outbound ring. Confined to the loop's thread.
 *
 * <p>There are two sorts of messages: blobs, which are read into a claim, and for which there may be no room; and
 * messages that must be sent, for which room is reserved. When even that is used up, the peer is making requests
 * without reading the answers, and the session ends (ProtocolException).
 */
final class Outbox {
    /** In bytes, the longest transferred_fd field: tag, length, four tags, type, handle, flags, position. */
    private static final int MAX_DESCRIPTOR_FIELD_LENGTH = 2 + 4 + 1 + 10 + 10 + 9;
    private static final int MAX_TRAILER_LENGTH = ControlData.MAX_DESCRIPTORS * MAX_DESCRIPTOR_FIELD_LENGTH;
    private static final int HEADROOM = Math.max(DataHeader.MAX_LENGTH, PreadResponseHeader.MAX_LENGTH);

    /** In bytes: a smaller frame is better copied and gathered with others than sent alone. */
    private static final int MIN_IN_PLACE_LENGTH = 16 * 1024;

    private final Link link;
    private final OutboundRing ring;
    private final SessionCounters counters;
    private final boolean sendsHeadersAhead;
    private int blobIndex;
    private int blobRoom;
    private int requestIndex;
    /** What the header in the pipe says of the blob that is to follow it there; 0 when there is no header. */
    private int announcedLength;

    /**
     * @param sendsHeadersAhead whether the header of a blob that lies in a pipe is sent by itself. It wakes up the peer
     *                          while this proxy is still at the bytes: a gain if the peer has a CPU of its own, but if
     *                          it shares this one, it is woken up twice.
     */
    Outbox(final Link link, final SessionCounters counters, final boolean sendsHeadersAhead) {
        this.link = link;
        this.ring = link.outbound();
        this.counters = counters;
        this.sendsHeadersAhead = sendsHeadersAhead;
    }

    UnsafeBuffer buffer() {
        return ring.buffer();
    }

    // ---- Blobs

    /**
     * Claims room for a blob. Returns its length in bytes, or 0 when there is no room; the link then tells when there
     * is.
     */
    int claimBlob(final int minimum, final int maximum, final boolean withDescriptors) {
        final int overhead = HEADROOM + (withDescriptors ? MAX_TRAILER_LENGTH : 0);
        final int index = ring.claimData(minimum + overhead, maximum + overhead);
        if (index == OutboundRing.NO_ROOM) {
            wantRoom();
            return 0;
        }
        blobIndex = index + HEADROOM;
        blobRoom = ring.claimLength() - overhead;
        return blobRoom;
    }

    /** The address of the claimed blob's first byte. */
    long blobAddress() {
        return ring.address(blobIndex, blobRoom);
    }

    /** Has the link call LinkHandler.onRoom when there is room for blobs. */
    void wantRoom() {
        link.wantRoom();
    }

    /** The index right after a claimed blob of {@code length} bytes, where further fields go. */
    int trailerIndex(final int length) {
        return blobIndex + length;
    }

    void abortBlob() {
        ring.abort();
    }

    void sendData(final long handle, final int length) {
        sendData(handle, length, trailerIndex(length), OutboundRing.NO_DESCRIPTORS);
    }

    /** Sends the claimed blob; {@code end} is the end of its descriptor fields. Takes ownership of the descriptors. */
    void sendData(final long handle, final int length, final int end, final int[] riding) {
        final int start = DataHeader.encodeBefore(
            ring.buffer(), blobIndex, handle, length, end - trailerIndex(length));
        counters.bytesOut += length;
        commit(start, end, riding);
    }

    /**
     * Claims room for the header of a blob of up to {@code length} bytes that will lie in {@code pipe}, which is empty;
     * false when there is none, as for {@link #claimBlob}. Unless headers are sent ahead, it is written into the pipe,
     * so that it leaves in one call with the bytes.
     */
    boolean claimSpliced(final long handle, final int length, final SplicePipe pipe) {
        final int index = ring.claimSpliced(DataHeader.MAX_LENGTH);
        if (index == OutboundRing.NO_ROOM) {
            wantRoom();
            return false;
        }
        blobIndex = index + DataHeader.MAX_LENGTH;
        announcedLength = 0;
        if (!sendsHeadersAhead) {
            final int start = DataHeader.encodeBefore(ring.buffer(), blobIndex, handle, length, 0);
            announcedLength = pipe.write(ring.address(start, blobIndex - start), blobIndex - start) ? length : 0;
        }
        return true;
    }

    /** Sends the last {@code length} bytes in the pipe as a blob; nothing when there are none. */
    void sendSpliced(final long handle, final int length, final SplicePipe pipe) {
        if (length == 0) {
            pipe.discard();
            ring.abort();
            return;
        }
        if (length == announcedLength) {
            ring.abort();
            ring.commit(pipe);
        } else {
            // The header in the pipe, if any, announces more than has come.
            pipe.skip(pipe.length() - length);
            ring.commit(DataHeader.encodeBefore(ring.buffer(), blobIndex, handle, length, 0), blobIndex, pipe);
        }
        counters.bytesOut += length;
        counters.framesOut++;
        link.committed();
    }

    /**
     * Claims room for a request to connect with up to {@code earlyLength} bytes of early data, which belong at {@link
     * #blobAddress}; false when there is no room for that now.
     */
    boolean claimConnectRequest(final long cookie, final DirectBuffer path, final int earlyLength) {
        final int headerLength = ConnectRequestHeader.length(cookie, path.capacity(), earlyLength);
        requestIndex = ring.claimData(headerLength + earlyLength, headerLength + earlyLength);
        if (requestIndex == OutboundRing.NO_ROOM) {
            return false;
        }
        blobIndex = requestIndex + headerLength;
        blobRoom = earlyLength;
        return true;
    }

    /** Sends the claimed request, with {@code earlyLength} bytes of early data, or fewer than were claimed. */
    void sendConnectRequest(final long cookie, final DirectBuffer path, final int earlyLength) {
        counters.bytesOut += earlyLength;
        final int dataIndex = requestIndex + ConnectRequestHeader.length(cookie, path.capacity(), earlyLength);
        if (dataIndex != blobIndex) {
            // The header is shorter than it could have been, and a gap in front of it would make the frame a piece of
            // its own, to be gathered with the others.
            ring.buffer().putBytes(dataIndex, ring.buffer(), blobIndex, earlyLength);
        }
        ConnectRequestHeader.encode(ring.buffer(), requestIndex, cookie, path, earlyLength);
        commit(requestIndex, dataIndex + earlyLength, OutboundRing.NO_DESCRIPTORS);
    }

    void sendPreadData(final long cookie, final int length) {
        commit(
            PreadResponseHeader.encodeBefore(ring.buffer(), blobIndex, cookie, length),
            trailerIndex(length),
            OutboundRing.NO_DESCRIPTORS);
    }

    /** Sends a read's answer whose bytes stay outside the ring; false when there is no room for it now. */
    boolean sendPreadExternal(final long cookie, final ExternalPiece bytes) {
        final int index = ring.claimExternal(PreadResponseHeader.MAX_LENGTH, bytes.length());
        if (index == OutboundRing.NO_ROOM) {
            wantRoom();
            return false;
        }
        final int end = index + PreadResponseHeader.MAX_LENGTH;
        counters.framesOut++;
        ring.commit(PreadResponseHeader.encodeBefore(ring.buffer(), end, cookie, bytes.length()), end, bytes);
        link.committed();
        return true;
    }

    /**
     * Sends a write request, if possible directly from where its bytes lie. They may be overwritten when this returns.
     *
     * @param buffer off-heap; the {@link PwriteRequestHeader#MAX_LENGTH} bytes in front of {@code offset} are
     *               overwritten.
     * @return false when there is no room for it now.
     */
    boolean sendPwriteRequest(
        final long cookie,
        final long handle,
        final long fileOffset,
        final MutableDirectBuffer buffer,
        final int offset,
        final int length) {
        final int claimed = PwriteRequestHeader.MAX_LENGTH + length;
        final int index = ring.claimData(claimed, claimed);
        if (index == OutboundRing.NO_ROOM) {
            return false;
        }
        final int start = PwriteRequestHeader.encodeBefore(buffer, offset, cookie, handle, fileOffset, length);
        final int frameLength = offset + length - start;
        final int sent = frameLength < MIN_IN_PLACE_LENGTH ? 0
            : link.sendAtOnce(buffer.addressOffset() + start, frameLength);
        if (sent == frameLength) {
            ring.abort();
            counters.framesOut++;
        } else {
            ring.buffer().putBytes(index, buffer, start + sent, frameLength - sent);
            commit(index, index + frameLength - sent, OutboundRing.NO_DESCRIPTORS);
        }
        return true;
    }

    /** Sends a write request whose bytes may lie anywhere; false when there is no room for it now. */
    boolean sendPwriteRequestCopied(
        final long cookie,
        final long handle,
        final long fileOffset,
        final DirectBuffer buffer,
        final int offset,
        final int length) {
        final int claimed = PwriteRequestHeader.MAX_LENGTH + length;
        final int index = ring.claimData(claimed, claimed);
        if (index == OutboundRing.NO_ROOM) {
            return false;
        }
        final int dataIndex = index + PwriteRequestHeader.MAX_LENGTH;
        final int start =
            PwriteRequestHeader.encodeBefore(ring.buffer(), dataIndex, cookie, handle, fileOffset, length);
        ring.buffer().putBytes(dataIndex, buffer, offset, length);
        commit(start, dataIndex + length, OutboundRing.NO_DESCRIPTORS);
        return true;
    }

    // ---- Messages that must be sent

    void sendClose(final long handle) {
        final int index = claimControl(MessageEncoder.MAX_CONTROL_LENGTH);
        commitControl(index, MessageEncoder.close(ring.buffer(), index, handle));
    }

    /** As {@link #sendClose}, with the errno that ended the stream; only to a peer that has greeted. */
    void sendReset(final long handle, final int reason) {
        final int index = claimControl(MessageEncoder.MAX_CONTROL_LENGTH);
        commitControl(index, MessageEncoder.reset(ring.buffer(), index, handle, reason));
    }

    /** Sends a notice; all but the greeting only to a peer that has greeted. */
    void sendNotice(final int notice, final long subject, final long amount, final int bits) {
        final int index = claimControl(MessageEncoder.MAX_CONTROL_LENGTH);
        commitControl(index, MessageEncoder.notice(ring.buffer(), index, notice, subject, amount, bits));
    }

    /** Sends a request to connect, without early data. */
    void sendConnectRequest(final long cookie, final DirectBuffer path) {
        final int index = claimControl(ConnectRequestHeader.length(cookie, path.capacity(), 0));
        commitControl(index, ConnectRequestHeader.encode(ring.buffer(), index, cookie, path, 0));
    }

    void sendConnectResponse(final long cookie, final int errno, final long handle) {
        final int index = claimControl(MessageEncoder.MAX_CONTROL_LENGTH);
        commitControl(index, MessageEncoder.connectResponse(ring.buffer(), index, cookie, errno, handle));
    }

    void sendPreadRequest(final long cookie, final long handle, final long count, final long offset) {
        final int index = claimControl(MessageEncoder.MAX_CONTROL_LENGTH);
        commitControl(index, MessageEncoder.preadRequest(ring.buffer(), index, cookie, handle, count, offset));
    }

    void sendPreadError(final long cookie, final int errno) {
        final int index = claimControl(MessageEncoder.MAX_CONTROL_LENGTH);
        commitControl(index, MessageEncoder.preadError(ring.buffer(), index, cookie, errno));
    }

    void sendPwriteResponse(final long cookie, final int errno, final long bytesWritten) {
        final int index = claimControl(MessageEncoder.MAX_CONTROL_LENGTH);
        commitControl(index, MessageEncoder.pwriteResponse(ring.buffer(), index, cookie, errno, bytesWritten));
    }

    /** @param sync one of {@link io.vsockproxy.wire.Sync}. */
    void sendFstatRequest(final long cookie, final long handle, final int sync) {
        final int index = claimControl(MessageEncoder.MAX_CONTROL_LENGTH);
        commitControl(index, MessageEncoder.fstatRequest(ring.buffer(), index, cookie, handle, sync));
    }

    void sendFstatResponse(final long cookie, final int errno, final long size) {
        final int index = claimControl(MessageEncoder.MAX_CONTROL_LENGTH);
        commitControl(index, MessageEncoder.fstatResponse(ring.buffer(), index, cookie, errno, size));
    }

    /** As a successful {@link #sendFstatResponse}, with all attributes; only to a peer that has greeted. */
    void sendAttributes(final long cookie, final FileAttributes attributes) {
        final int index = claimControl(MessageEncoder.MAX_CONTROL_LENGTH);
        commitControl(index, MessageEncoder.fstatResponse(ring.buffer(), index, cookie, attributes));
    }

    void sendFtruncateRequest(final long cookie, final long handle, final long length) {
        final int index = claimControl(MessageEncoder.MAX_CONTROL_LENGTH);
        commitControl(index, MessageEncoder.ftruncateRequest(ring.buffer(), index, cookie, handle, length));
    }

    void sendFtruncateResponse(final long cookie, final int errno) {
        final int index = claimControl(MessageEncoder.MAX_CONTROL_LENGTH);
        commitControl(index, MessageEncoder.ftruncateResponse(ring.buffer(), index, cookie, errno));
    }

    private int claimControl(final int length) {
        final int index = ring.claimControl(length);
        if (index == OutboundRing.NO_ROOM) {
            throw new ProtocolException("the peer does not read while it asks for answers: unsent bytes="
                + ring.pendingBytes() + ", room=" + ring.buffer().capacity());
        }
        return index;
    }

    private void commitControl(final int index, final int length) {
        commit(index, index + length, OutboundRing.NO_DESCRIPTORS);
    }

    private void commit(final int from, final int to, final int[] riding) {
        counters.framesOut++;
        ring.commit(from, to, riding);
        link.committed();
    }
}
