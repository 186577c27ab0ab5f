/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.extension;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.vsockproxy.posix.Constants;
import io.vsockproxy.posix.Errno;
import io.vsockproxy.testing.Endpoint;
import io.vsockproxy.testing.FileCalls;
import io.vsockproxy.testing.Messages;
import io.vsockproxy.testing.MountedGuest;
import io.vsockproxy.testing.Mounts;
import io.vsockproxy.testing.NoticePeer;
import io.vsockproxy.testing.RawPeer;
import io.vsockproxy.testing.RunningHost;
import io.vsockproxy.testing.RunningHost.Connection;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * The extension's fields about files, from peers that have not sent a greeting, and with values that no correct peer
 * sends.
 */
@Timeout(value = 60, unit = TimeUnit.SECONDS)
class FileFieldsTest {
    private static final long SIZE = 10_000;
    private static final long WINDOW = 1 << 20;

    @RegisterExtension
    static final RunningHost HOST = new RunningHost();

    @TempDir
    Path directory;

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3, Integer.MIN_VALUE, -1})
    void shouldSynchronizeForAPeerThatHasGreetedOnly(final int sync) {
        // fsync(2) fails with EINVAL on it, which shows whether it was called.
        assertEquals(Errno.EINVAL, syncOfAFileInProc(true, sync));
        assertEquals(0, syncOfAFileInProc(false, sync));
    }

    @Test
    void shouldSynchronizeNoStreamAndNoUnknownHandle() {
        final RawPeer guest = HOST.guest();
        guest.send(NoticePeer.greeting(WINDOW));
        final Connection connection = HOST.connect(guest);
        guest.send(Messages.fstatRequest(-5, connection.handle(), 1));
        assertEquals(Errno.EINVAL, guest.receive().getFstatResponse().getErrorCode());
        guest.send(Messages.fstatRequest(-6, connection.handle() + 1, 1));
        assertEquals(Errno.EBADF, guest.receive().getFstatResponse().getErrorCode());
        connection.application().write("still there");
        assertEquals("still there", guest.receive().getData().getBlob().toStringUtf8());
    }

    @Test
    void shouldTakeThePositionOfAPeerThatHasGreetedOnly() throws IOException {
        Mounts.assumeMountable();
        assertEquals(17, positionOf(true, 17));
        assertEquals(0, positionOf(false, 17));
    }

    @ParameterizedTest
    @ValueSource(longs = {-1, Long.MIN_VALUE})
    void shouldStartAtTheBeginningWhenThePositionIsInvalid(final long position) throws IOException {
        Mounts.assumeMountable();
        assertEquals(0, positionOf(true, position));
    }

    @Test
    void shouldTakeTheLastPositionThereIs() throws IOException {
        Mounts.assumeMountable();
        assertEquals(Long.MAX_VALUE, positionOf(true, Long.MAX_VALUE));
    }

    private static int syncOfAFileInProc(final boolean greets, final int sync) {
        final RawPeer guest = HOST.guest();
        if (greets) {
            guest.send(NoticePeer.greeting(WINDOW));
        }
        final Connection connection = HOST.connect(guest);
        connection.application().pass("proc", Endpoint.open(Path.of("/proc/version"), Constants.O_RDONLY));
        final long handle = guest.receive().getData().getTransferredFd(0).getHandle();
        guest.send(Messages.fstatRequest(-5, handle, sync));
        return guest.receive().getFstatResponse().getErrorCode();
    }

    private long positionOf(final boolean greets, final long position) throws IOException {
        final Path own = Files.createTempDirectory(directory, greets ? "greeted" : "plain");
        try (MountedGuest guest = greets ? MountedGuest.greeted(own) : new MountedGuest(own);
            Endpoint file = guest.passAndReceive(2, SIZE, position)) {
            return FileCalls.seek(file, 0, FileCalls.SEEK_CUR);
        }
    }
}
