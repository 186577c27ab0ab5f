/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.testing;

import io.vsockproxy.proto.Close;
import io.vsockproxy.proto.VSockMessage;
import java.util.function.Predicate;

/**
 * The other side of a proxy's link that sees every frame, including notices, and can send notices.
 */
public final class NoticePeer implements AutoCloseable {
    private final Endpoint link;
    private final FrameReader frames;

    /** Takes ownership of a connected link. */
    public NoticePeer(final Endpoint link) {
        this.link = link;
        frames = new FrameReader(link);
    }

    /** A notice, which is a Close of handle 0. */
    public static VSockMessage notice(final Close.Notice notice, final long subject, final long amount) {
        return VSockMessage.newBuilder()
            .setClose(Close.newBuilder().setNotice(notice).setSubject(subject).setAmount(amount)).build();
    }

    /** A notice with bits. */
    public static VSockMessage notice(
        final Close.Notice notice, final long subject, final long amount, final int bits) {
        return VSockMessage.newBuilder().setClose(Close.newBuilder()
            .setNotice(notice).setSubject(subject).setAmount(amount).setBits(bits)).build();
    }

    /** A greeting with the given window, of a peer that accepts neither FIFOs nor early data. */
    public static VSockMessage greeting(final long window) {
        return greeting(window, 0);
    }

    /** A greeting with the given window, and bits for what else its sender accepts. */
    public static VSockMessage greeting(final long window, final int bits) {
        return notice(Close.Notice.GREETING, 0, window, bits);
    }

    /** Whether {@code message} is that notice. */
    public static boolean isNotice(final VSockMessage message, final Close.Notice notice) {
        return message.hasClose() && message.getClose().getHandle() == 0 && message.getClose().getNotice() == notice;
    }

    /** The connection itself. */
    public Endpoint link() {
        return link;
    }

    /** Sends frames, one after the other. */
    public void send(final VSockMessage... messages) {
        link.send(RawPeer.frames(messages));
    }

    /** Sends one frame; the descriptors, which stay the caller's, ride on its first byte. */
    public void sendWith(final VSockMessage message, final Endpoint... riding) {
        link.send(RawPeer.frame(message), riding);
    }

    /** The next frame's message, whatever it is; null at the end. */
    public VSockMessage next() {
        return frames.next();
    }

    /** Skips frames up to the next that {@code wanted} accepts, which must come. */
    public VSockMessage next(final Predicate<VSockMessage> wanted, final String what) {
        VSockMessage message = next();
        while (message != null && !wanted.test(message)) {
            message = next();
        }
        if (message == null) {
            throw new AssertionError("the proxy closed the link before " + what);
        }
        return message;
    }

    /** The next message that is not a notice. */
    public VSockMessage receive() {
        return next(message -> !message.hasClose() || message.getClose().getHandle() != 0, "a message");
    }

    /** Reads up to the end of the link. */
    public void expectEnd() {
        VSockMessage message = next();
        while (message != null) {
            message = next();
        }
    }

    /** The next descriptor that has ridden in; the caller's. */
    public Endpoint takeDescriptor() {
        return frames.takeDescriptor();
    }

    @Override
    public void close() {
        link.close();
        frames.close();
    }
}
