/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.posix;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * Names of unix sockets: the name read back is the one that they were bound to.
 */
@Timeout(value = 60, unit = TimeUnit.SECONDS)
class SocketNameTest {
    @TempDir
    Path directory;

    @Test
    void shouldBeThePath() {
        final String path = directory.resolve("socket").toString();
        assertEquals(path, nameWhenBoundTo(path));
    }

    @Test
    void shouldBeTheAbstractNameBehindAnAt() {
        final String name = "@" + directory;
        assertEquals(name, nameWhenBoundTo(name));
        final String longest = name + "/" + "x".repeat(SocketAddress.MAX_PATH_LENGTH - name.length() - 1);
        assertEquals(longest, nameWhenBoundTo(longest));
    }

    @Test
    void shouldBeNoneWithoutAName() {
        try (OwnedFd socket = socket()) {
            assertNull(SocketName.local(socket.fd()).path());
        }
    }

    @Test
    void shouldBeNoneForAnAbstractNameWithANulInIt() {
        final byte[] bytes = ("@" + directory + "\0rest").getBytes(StandardCharsets.UTF_8);
        final int length = Constants.SOCKADDR_UN_PATH_OFFSET + bytes.length;
        try (OwnedFd socket = socket(); Memory address = Memory.allocate(length)) {
            address.buffer().putShort(Constants.SOCKADDR_UN_FAMILY_OFFSET, (short) Constants.AF_UNIX);
            address.buffer().putBytes(Constants.SOCKADDR_UN_PATH_OFFSET, bytes);
            address.buffer().putByte(Constants.SOCKADDR_UN_PATH_OFFSET, (byte) 0);
            PosixException.check(Syscalls.bind(socket.fd(), address.address(), length), "bind");
            assertNull(SocketName.local(socket.fd()).path());
        }
    }

    @Test
    void shouldRefuseAnAtAlone() {
        assertThrows(IllegalArgumentException.class, () -> SocketAddress.unix("@"));
    }

    private static String nameWhenBoundTo(final String path) {
        try (OwnedFd socket = socket(); SocketAddress address = SocketAddress.unix(path)) {
            PosixException.check(address.bind(socket.fd()), "bind to " + path);
            return SocketName.local(socket.fd()).path();
        }
    }

    private static OwnedFd socket() {
        return OwnedFd.of(PosixException.check(
            Syscalls.socket(Constants.AF_UNIX, Constants.SOCK_STREAM | Constants.SOCK_CLOEXEC, 0), "socket"));
    }
}
