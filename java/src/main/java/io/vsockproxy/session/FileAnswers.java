/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.session;

import io.vsockproxy.file.FileBytes;
import io.vsockproxy.file.FileResponses;
import io.vsockproxy.link.ExternalPiece;
import io.vsockproxy.posix.FileAttributes;
import io.vsockproxy.wire.MessageEncoder;
import io.vsockproxy.wire.PreadResponseHeader;
import java.util.ArrayList;
import java.util.function.BooleanSupplier;
import org.agrona.MutableDirectBuffer;

/**
 * Sends the file servers' answers as messages. If the peer has left no room for one that must be sent, the session
 * ends.
 */
final class FileAnswers implements FileResponses {
    private final Session session;
    private final Outbox outbox;
    private final BooleanSupplier tellsAttributes;
    private final ArrayList<RidingAnswer> free = new ArrayList<>();

    /**
     * @param tellsAttributes whether the peer has greeted, and so understands more attributes than the size.
     */
    FileAnswers(final Session session, final Outbox outbox, final BooleanSupplier tellsAttributes) {
        this.session = session;
        this.outbox = outbox;
        this.tellsAttributes = tellsAttributes;
    }

    @Override
    public boolean claimRead(final int length) {
        return outbox.claimBlob(Math.max(1, length), Math.max(1, length), false) > 0;
    }

    @Override
    public long readAddress() {
        return outbox.blobAddress();
    }

    @Override
    public void commitRead(final long cookie, final int length) {
        outbox.sendPreadData(cookie, length);
    }

    @Override
    public void abortRead() {
        outbox.abortBlob();
    }

    @Override
    public boolean sendRead(final long cookie, final FileBytes bytes) {
        final RidingAnswer answer = free.isEmpty() ? new RidingAnswer() : free.remove(free.size() - 1);
        answer.cookie = cookie;
        answer.bytes = bytes;
        if (outbox.sendPreadExternal(cookie, answer)) {
            return true;
        }
        answer.bytes = null;
        free.add(answer);
        return false;
    }

    @Override
    public void readWithoutData(final long cookie, final int errno) {
        try {
            outbox.sendPreadError(cookie, errno);
        } catch (final ProtocolException e) {
            session.end(e.getMessage());
        }
    }

    @Override
    public void written(final long cookie, final int errno, final long bytes) {
        try {
            outbox.sendPwriteResponse(cookie, errno, bytes);
        } catch (final ProtocolException e) {
            session.end(e.getMessage());
        }
    }

    @Override
    public void examined(final long cookie, final int errno, final FileAttributes attributes) {
        try {
            if (errno == 0 && tellsAttributes.getAsBoolean()) {
                outbox.sendAttributes(cookie, attributes);
            } else {
                outbox.sendFstatResponse(cookie, errno, errno == 0 ? attributes.size() : 0);
            }
        } catch (final ProtocolException e) {
            session.end(e.getMessage());
        }
    }

    @Override
    public void truncated(final long cookie, final int errno) {
        try {
            outbox.sendFtruncateResponse(cookie, errno);
        } catch (final ProtocolException e) {
            session.end(e.getMessage());
        }
    }

    /** An answer whose bytes are sent from where they lie, outside the ring. Pooled. */
    private final class RidingAnswer implements ExternalPiece {
        private long cookie;
        private FileBytes bytes;

        @Override
        public long address() {
            return bytes.address();
        }

        @Override
        public int length() {
            return bytes.length();
        }

        @Override
        public int readableLength() {
            return bytes.readableLength();
        }

        @Override
        public int reframe(final MutableDirectBuffer buffer, final int from, final int to, final int length) {
            if (length >= 0) {
                return PreadResponseHeader.encodeBefore(buffer, to, cookie, length);
            }
            // The header of a non-empty blob is longer than a whole error response, so this fits.
            final int errorLength = MessageEncoder.preadError(buffer, from, cookie, -length);
            final int start = to - errorLength;
            if (start < from) {
                throw new IllegalStateException("room=" + (to - from) + ", error length=" + errorLength);
            }
            MessageEncoder.preadError(buffer, start, cookie, -length);
            return start;
        }

        @Override
        public void release() {
            final FileBytes done = bytes;
            bytes = null;
            free.add(this);
            done.release();
        }
    }
}
