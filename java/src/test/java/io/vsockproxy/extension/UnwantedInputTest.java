/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.extension;

import static org.junit.jupiter.api.Assertions.assertTrue;

import io.vsockproxy.Role;
import io.vsockproxy.config.Extensions;
import io.vsockproxy.posix.Constants;
import io.vsockproxy.posix.Errno;
import io.vsockproxy.posix.SocketOptions;
import io.vsockproxy.testing.Await;
import io.vsockproxy.testing.Endpoint;
import io.vsockproxy.testing.MixedPair;
import io.vsockproxy.testing.Pattern;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * A descriptor is on its way to an application that closes its end. It is still at the sender's proxy, which may not
 * read any more; and the sender does not read either, so that its socket stays.
 */
@Timeout(value = 60, unit = TimeUnit.SECONDS)
class UnwantedInputTest {
    private static final int WINDOW_LENGTH = 2 << 20;
    /** Less than a window, and more than a socket holds: 852 KB, where net.core.wmem_max lets the proxy have that. */
    private static final int SOME_LENGTH = 3 << 19;
    private static final byte[] PIECE = Pattern.bytes(51, 4096);

    @RegisterExtension
    static final MixedPair PAIR = new MixedPair(new Extensions(
        true, WINDOW_LENGTH, WINDOW_LENGTH, Extensions.DEFAULTS.heartbeatIntervalNs(),
        Extensions.DEFAULTS.linkTimeoutNs()));


    /** What joins the two applications. */
    enum Kind { CONNECTION, PASSED_STREAM, PASSED_SEQPACKET }

    /** What the one that leaves has sent before: all that has been read, or more than may be. */
    enum Before { SOME, TOO_MUCH }

    @ParameterizedTest
    @CsvSource({
        "CONNECTION, SOME", "CONNECTION, TOO_MUCH", "PASSED_STREAM, SOME", "PASSED_STREAM, TOO_MUCH",
        "PASSED_SEQPACKET, SOME", "PASSED_SEQPACKET, TOO_MUCH",
    })
    void shouldCloseADescriptorOnItsWayToAnApplicationThatHasLeft(final Kind kind, final Before before) {
        final Endpoint[] ends = ends(kind);
        final Endpoint leaving = ends[0];
        final Endpoint staying = ends[1];
        if (before == Before.SOME) {
            for (int sent = 0; sent < SOME_LENGTH; sent += PIECE.length) {
                leaving.send(PIECE);
            }
        } else {
            leaving.sendUntilStalled(PIECE, 1 << 30);
        }
        Await.until(() -> PAIR.probe(Role.GUEST).queuedBytes() > 0, () -> "bytes for the one that stays");
        staying.sendUntilStalled(PIECE, 1 << 30);
        final Endpoint carried = passWriteEnd(staying);
        leaving.close();
        carried.awaitHangUp();
        final byte[] byteTooMuch = new byte[1];
        Await.until(
            () -> staying.trySend(byteTooMuch, 0, 1) == -Errno.EPIPE, () -> "EPIPE for the one that stays");
    }

    @ParameterizedTest
    @EnumSource(names = {"PASSED_STREAM", "PASSED_SEQPACKET"})
    void shouldCloseItOnceItsSenderHasReadEverythingIfTheSenderPassedTheSocket(final Kind kind) {
        final Endpoint[] ends = ends(kind);
        final Endpoint leaving = ends[1];
        final Endpoint staying = ends[0];
        for (int sent = 0; sent < SOME_LENGTH; sent += PIECE.length) {
            leaving.send(PIECE);
        }
        Await.until(() -> PAIR.probe(Role.HOST).queuedBytes() > 0, () -> "bytes for the one that stays");
        staying.sendUntilStalled(PIECE, 1 << 30);
        final Endpoint carried = passWriteEnd(staying);
        leaving.close();
        Await.until(
            () -> {
                while (staying.tryReceive(PIECE.length) > 0) {
                    // Reads as long as there is something.
                }
                return carried.isHungUp();
            },
            () -> "a hang-up");
    }

    /** Passes a pipe's write end on a socket that takes no more: its read end. */
    private Endpoint passWriteEnd(final Endpoint socket) {
        assertTrue(SocketOptions.raiseSendBuffer(socket.fd(), 400_000));
        final Endpoint[] pipe = Endpoint.pipe();
        PAIR.closing(pipe[0]);
        socket.pass("write end", pipe[1]);
        return pipe[0];
    }

    /** The one that leaves, on the host's side, and the one that stays. */
    private Endpoint[] ends(final Kind kind) {
        final Endpoint[] connected = PAIR.connect(Role.HOST);
        PAIR.closing(connected);
        if (kind == Kind.CONNECTION) {
            return connected;
        }
        final Endpoint[] sockets = Endpoint.socketPair(
            kind == Kind.PASSED_STREAM ? Constants.SOCK_STREAM : Constants.SOCK_SEQPACKET);
        connected[0].pass("socket", sockets[1]);
        final Endpoint passed = connected[1].receive().only();
        PAIR.closing(sockets[0], passed);
        return new Endpoint[] {sockets[0], passed};
    }
}
