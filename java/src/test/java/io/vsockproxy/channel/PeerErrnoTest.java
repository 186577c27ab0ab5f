/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.channel;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.vsockproxy.posix.Errno;
import io.vsockproxy.proto.Close;
import io.vsockproxy.proto.VSockMessage;
import io.vsockproxy.testing.Messages;
import io.vsockproxy.testing.NoticePeer;
import io.vsockproxy.testing.RawPeer;
import io.vsockproxy.testing.RunningHost;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * The errors that a component is told when its peer sends invalid error numbers.
 */
@Timeout(value = 60, unit = TimeUnit.SECONDS)
class PeerErrnoTest {
    private static final String PATH = "/somewhere";
    private static final int HANDLE = -7;

    @RegisterExtension
    static final RunningHost HOST = new RunningHost();

    @ParameterizedTest
    @CsvSource({"111, 111", "511, 511", "512, 5", "2147483647, 5", "-111, 5", "-2147483648, 5"})
    void shouldTellWhyTheConnectionWasRefusedAndEioForAnInvalidErrno(final int given, final int expected) {
        final RawPeer guest = HOST.guest();
        final Component component = connecting(guest);
        guest.send(Messages.connectResponse(guest.receive().getConnectRequest().getCookie(), given, 0));
        assertEquals(expected, component.awaitFailure());
    }

    @ParameterizedTest
    @CsvSource({"0, 0", "110, 110", "512, 5", "-1, 5", "-2147483648, 5"})
    void shouldTellWhyTheChannelWasResetAndEioForAnInvalidErrno(final int given, final int expected) {
        final RawPeer guest = HOST.guest();
        guest.send(NoticePeer.greeting(1 << 16));
        final Component component = connecting(guest);
        guest.send(Messages.connectResponse(guest.receive().getConnectRequest().getCookie(), 0, HANDLE));
        component.channel();
        guest.send(VSockMessage.newBuilder()
            .setClose(Close.newBuilder().setHandle(HANDLE).setReason(given)).build());
        assertEquals(expected, component.awaitClosed());
    }

    /** A component of the host, when the host knows of {@code guest}, which has not been asked yet. */
    private static Component connecting(final RawPeer guest) {
        guest.send(Messages.fstatRequest(-1, 1));
        assertEquals(Errno.EBADF, guest.receive().getFstatResponse().getErrorCode());
        final Component component = new Component(HOST.proxy());
        HOST.proxy().connect(PATH, component);
        return component;
    }
}
