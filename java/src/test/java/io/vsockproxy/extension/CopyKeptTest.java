/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.extension;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.vsockproxy.Role;
import io.vsockproxy.config.Extensions;
import io.vsockproxy.posix.Constants;
import io.vsockproxy.testing.Background;
import io.vsockproxy.testing.Endpoint;
import io.vsockproxy.testing.FileCalls;
import io.vsockproxy.testing.MixedPair;
import io.vsockproxy.testing.Pattern;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * A socket is passed to the other side, and its sender keeps a copy: shutdown affects both, close only one.
 */
@Timeout(value = 60, unit = TimeUnit.SECONDS)
class CopyKeptTest {
    @RegisterExtension
    static final MixedPair PAIR = new MixedPair(Extensions.DEFAULTS);

    /** Of a socket pair: the other end, the copy, and what was passed, as the other side has it. */
    private Endpoint other;
    private Endpoint copy;
    private Endpoint passed;

    static int[] types() {
        return new int[] {Constants.SOCK_STREAM, Constants.SOCK_SEQPACKET};
    }

    @ParameterizedTest
    @MethodSource("types")
    void shouldEndTheSecondDirectionThatIsShutDownToo(final int type) {
        pass(type);
        other.shutdownWrite();
        passed.expectEnd();
        passed.send("answer");
        passed.shutdownWrite();
        assertEquals("answer", other.receive().text());
        other.expectEnd();
        PAIR.expectNoHandles();
    }

    @ParameterizedTest
    @MethodSource("types")
    void shouldEndBothDirectionsThatAreShutDownAtOnce(final int type) {
        for (int i = 0; i < 30; i++) {
            pass(type);
            passed.shutdownWrite();
            other.shutdownWrite();
            passed.expectEnd();
            other.expectEnd();
            PAIR.expectNoHandles();
            Endpoint.closeAll(other, copy, passed);
        }
    }

    @Test
    void shouldEndTheSecondDirectionAfterWhatWaits() {
        pass(Constants.SOCK_STREAM);
        final byte[] much = Pattern.bytes(41, 3 << 20);
        other.shutdownWrite();
        passed.expectEnd();
        final CompletableFuture<Void> sent = Background.start(() -> {
            passed.send(much);
            passed.shutdownWrite();
            return null;
        });
        other.readFully(much.length);
        other.expectEnd();
        Background.join(sent);
    }

    @ParameterizedTest
    @MethodSource("types")
    void shouldEndTheSecondDirectionOfWhatHasBeenPassedBack(final int type) {
        for (int i = 0; i < 30; i++) {
            pass(type);
            final Endpoint back = passOn(Role.HOST, passed);
            other.shutdownWrite();
            back.expectEnd();
            back.shutdownWrite();
            other.expectEnd();
            PAIR.expectNoHandles();
            Endpoint.closeAll(other, copy, back);
        }
    }

    @ParameterizedTest
    @MethodSource("types")
    void shouldLetTheCopySendAfterWhatWasPassedIsClosed(final int type) {
        pass(type);
        other.shutdownWrite();
        passed.expectEnd();
        passed.close();
        PAIR.expectNoHandles();
        copy.send("still open");
        assertEquals("still open", other.receive().text());
    }

    private void pass(final int type) {
        final Endpoint[] sockets = Endpoint.socketPair(type);
        other = sockets[0];
        copy = FileCalls.duplicate(sockets[1]);
        PAIR.closing(other, copy);
        passed = passOn(Role.GUEST, sockets[1]);
    }

    private Endpoint passOn(final Role from, final Endpoint socket) {
        final Endpoint[] carriers = PAIR.connect(from);
        carriers[0].pass("socket", socket);
        final Endpoint received = carriers[1].receive().only();
        PAIR.closing(received);
        Endpoint.closeAll(carriers);
        return received;
    }
}
