/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.session;

import io.vsockproxy.config.Extensions;
import io.vsockproxy.stream.Credit;
import io.vsockproxy.stream.Stream;
import io.vsockproxy.stream.StreamKind;
import io.vsockproxy.wire.ConnectRequestHeader;
import io.vsockproxy.wire.MessageDecoder;
import io.vsockproxy.wire.Notice;

/**
 * The protocol's extension, used with a peer that has greeted: flow control, half-close, signs of life, and more. See
 * docs/protocol-extensions.md. Confined to the loop's thread.
 *
 * <p>Each side sends its greeting before anything else, and opening a stream takes messages in both directions. So when
 * the first stream is opened, it is known whether the peer has greeted, and the answer is the same for all streams of
 * the session.
 */
final class PeerExtension {
    private final Session session;
    private final Extensions settings;
    private final Outbox outbox;
    private final StreamTable streams;
    private final long growthBudget;
    private final boolean takesFifos;
    private OwnFiles ownFiles;
    private ReceivedFiles receivedFiles;
    private boolean greeted;
    private boolean peerTakesFifos;
    private boolean peerTakesEarlyData;
    private long peerWindow;
    private long grownBytes;

    /**
     * @param takesFifos whether there is a mount for FIFOs that are open for reading and writing.
     */
    PeerExtension(
        final Session session,
        final Extensions settings,
        final Outbox outbox,
        final StreamTable streams,
        final long growthBudget,
        final boolean takesFifos) {
        this.session = session;
        this.takesFifos = takesFifos;
        this.settings = settings;
        this.outbox = outbox;
        this.streams = streams;
        this.growthBudget = growthBudget;
    }

    /** Must be called before anything is received. */
    void files(final OwnFiles own, final ReceivedFiles received) {
        ownFiles = own;
        receivedFiles = received;
    }

    /** Sends the greeting, if the extension is enabled. Must be called before anything else is sent. */
    void greet() {
        if (settings.enabled()) {
            outbox.sendNotice(
                Notice.GREETING, 0, settings.windowLength(), Notice.EARLY_DATA | (takesFifos ? Notice.FIFOS : 0));
        }
    }

    /**
     * Whether the peer may pass FIFOs that are open for reading and writing: it has greeted, and was told that they are
     * accepted.
     */
    boolean takesFifos() {
        return greeted && takesFifos;
    }

    /** Whether the peer accepts such FIFOs. */
    boolean peerTakesFifos() {
        return peerTakesFifos;
    }

    /** How many bytes of early data may go with a request to connect; 0 unless the peer has said that it takes any. */
    int maxEarlyLength() {
        return peerTakesEarlyData ? (int) Math.min(peerWindow, ConnectRequestHeader.MAX_EARLY_LENGTH) : 0;
    }

    /** Whether the peer understands notices. */
    boolean isAgreed() {
        return greeted;
    }

    /**
     * Handles a Close with handle 0.
     *
     * @param first whether it is the first message of the peer; only then can it be a greeting.
     */
    void onNotice(final MessageDecoder message, final boolean first) {
        if (message.notice() == Notice.GREETING) {
            if (settings.enabled() && first && message.amount() > 0) {
                greeted = true;
                peerWindow = message.amount();
                peerTakesFifos = (message.bits() & Notice.FIFOS) != 0;
                peerTakesEarlyData = (message.bits() & Notice.EARLY_DATA) != 0;
            }
            return;
        }
        if (!greeted) {
            return;
        }
        switch (message.notice()) {
            case Notice.CREDIT -> onCredit(message.subject(), message.amount());
            case Notice.HALF_CLOSE -> onHalfClose(message.subject());
            case Notice.STOP_SENDING -> onStopSending(message.subject(), (message.bits() & Notice.SHUT) != 0);
            case Notice.PING -> outbox.sendNotice(Notice.PONG, 0, message.amount(), 0);
            case Notice.CANCEL, Notice.WATCH, Notice.READY -> onFifoNotice(message);
            default -> {
                // A PONG's mere arrival is a sign of life; anything else is from a later version.
            }
        }
    }

    /** Flow control for a new stream; null when the peer has not greeted. */
    Credit newCredit(final StreamKind kind) {
        return greeted ? new Credit(kind.keepsBoundaries(), peerWindow, settings.windowLength()) : null;
    }

    /** The application here has taken something: grants credit to the peer if that is due. */
    void onTaken(final Stream stream, final long cost) {
        final Credit credit = stream.credit();
        if (credit.taken(cost) && !stream.isFinishing()) {
            final long room = Math.min(settings.maxWindowLength() - credit.window(), growthBudget - grownBytes);
            final long growth = credit.readerKeptUp() ? Math.max(0, Math.min(credit.window(), room)) : 0;
            grownBytes += growth;
            outbox.sendNotice(Notice.CREDIT, stream.handle(), credit.takeGrant(growth), 0);
        }
    }

    /** A stream has ended: what its window had grown by is available to others. */
    void onForgotten(final Stream stream) {
        if (stream.credit() != null) {
            grownBytes -= stream.credit().window() - settings.windowLength();
        }
    }

    /** Sends a sign of life without having been asked. */
    void showLife() {
        outbox.sendNotice(Notice.PONG, 0, 0, 0);
    }

    /** Asks for a sign of life. */
    void ping(final long token) {
        outbox.sendNotice(Notice.PING, 0, token, 0);
    }

    /**
     * The application here has ended its sending direction, and possibly only that.
     *
     * @return false when the stream has to end as a whole.
     */
    boolean halfClose(final Stream stream) {
        if (!greeted || !stream.canHalfClose()) {
            return false;
        }
        // Also sent for the second direction, although a Close follows: a close alone would not show an end of file to
        // anyone who shares the descriptor.
        stream.stopReading();
        outbox.sendNotice(Notice.HALF_CLOSE, stream.handle(), 0, 0);
        return true;
    }

    /** The application here takes no more. What it sends still comes. */
    void stopSending(final Stream stream, final boolean shut) {
        if (greeted) {
            outbox.sendNotice(Notice.STOP_SENDING, stream.handle(), 0, shut ? Notice.SHUT : 0);
        }
    }

    /** Sends a notice about a FIFO; as {@link Session#guarded}, without an object for each. */
    void sendFifoNotice(final int notice, final long subject, final long amount, final int bits) {
        if (!session.hasEnded()) {
            try {
                outbox.sendNotice(notice, subject, amount, bits);
            } catch (final ProtocolException e) {
                session.end(e.getMessage());
            }
        }
    }

    /** Notices about FIFOs are ignored unless both sides have announced them. */
    private void onFifoNotice(final MessageDecoder message) {
        if (message.notice() == Notice.READY) {
            if (takesFifos) {
                receivedFiles.onReady(message.subject(), message.amount(), message.bits());
            }
        } else if (peerTakesFifos && message.notice() == Notice.CANCEL) {
            ownFiles.cancel(message.subject());
        } else if (peerTakesFifos) {
            ownFiles.watch(message.subject(), message.amount(), message.bits());
        }
    }

    private void onCredit(final long handle, final long amount) {
        final Stream stream = streams.get(handle);
        if (amount < 0 || amount > Integer.MAX_VALUE) {
            throw new ProtocolException("credit of " + Long.toUnsignedString(amount) + " bytes at once");
        }
        if (stream != null && stream.credit() != null) {
            stream.allow(amount);
        }
    }

    private void onStopSending(final long handle, final boolean shut) {
        final Stream stream = streams.get(handle);
        // A pipe has one direction only, and ends as a whole.
        if (stream != null && (stream.canHalfClose() || stream.kind() == StreamKind.SOCKET_DGRAM)) {
            stream.stopSending(shut);
        }
    }

    private void onHalfClose(final long handle) {
        final Stream stream = streams.get(handle);
        if (stream == null) {
            return;
        }
        if (!stream.canHalfClose()) {
            streams.endedLocally(stream, 0);
            return;
        }
        stream.shutDownAfterQueue();
        if (stream.hasReadEnded()) {
            // Both directions have ended now.
            streams.endedLocally(stream, 0);
        }
    }
}
