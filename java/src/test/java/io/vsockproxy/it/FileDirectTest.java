/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.it;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.vsockproxy.posix.Constants;
import io.vsockproxy.posix.Errno;
import io.vsockproxy.proto.PreadResponse;
import io.vsockproxy.proto.PwriteResponse;
import io.vsockproxy.testing.Endpoint;
import io.vsockproxy.testing.FileCalls;
import io.vsockproxy.testing.Messages;
import io.vsockproxy.testing.Pattern;
import io.vsockproxy.testing.RawPeer;
import io.vsockproxy.testing.RunningHost;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;

/** Files that an application has opened with O_DIRECT. */
@Timeout(value = 60, unit = TimeUnit.SECONDS)
class FileDirectTest {
    @RegisterExtension
    static final RunningHost HOST = new RunningHost();

    private static final byte[] CONTENT = Pattern.bytes(1, 300_000);

    @TempDir
    Path directory;
    private Path path;
    private RawPeer guest;

    @BeforeEach
    void writeFile() throws IOException {
        path = Files.write(directory.resolve("file"), CONTENT);
    }

    @Test
    void shouldReadFromAnywhereToAnywhere() {
        final long handle = pass(Constants.O_RDONLY);
        assertRead(handle, 0, 4096);
        assertRead(handle, 1, 3);
        assertRead(handle, 4095, 100_001);
        assertRead(handle, 0, CONTENT.length);
        assertRead(handle, CONTENT.length - 5, 5);
        assertEquals(Errno.EBADF, write(handle, new byte[1], 0).getErrorCode());
    }

    @Test
    void shouldWriteAnythingAnywhereFirst() throws IOException {
        final long handle = pass(Constants.O_RDWR);
        for (final int length : new int[] {3, 4096, 100_001}) {
            final byte[] bytes = Pattern.bytes(length, length);
            final PwriteResponse response = write(handle, bytes, 5000);
            assertEquals(0, response.getErrorCode());
            assertEquals(length, response.getBytesWritten());
            assertArrayEquals(bytes, Arrays.copyOfRange(Files.readAllBytes(path), 5000, 5000 + length));
            assertArrayEquals(bytes, read(handle, 5000, length).getBlob().toByteArray());
        }
    }

    @Test
    void shouldAppendAsTheApplicationWould() throws IOException {
        final long handle = pass(Constants.O_WRONLY | Constants.O_APPEND);
        assertEquals(3, write(handle, new byte[] {1, 2, 3}, 0).getBytesWritten());
        final byte[] expected = Arrays.copyOf(CONTENT, CONTENT.length + 3);
        System.arraycopy(new byte[] {1, 2, 3}, 0, expected, CONTENT.length, 3);
        assertArrayEquals(expected, Files.readAllBytes(path));
        assertEquals(Errno.EBADF, read(handle, 0, 1).getErrorCode());
    }

    @Test
    void shouldLeaveTheApplicationsOwnDescriptorAsItIs() {
        try (Endpoint file = open(Constants.O_RDWR)) {
            final int flags = file.statusFlags();
            final long handle = pass(FileCalls.duplicate(file));
            assertRead(handle, 1, 3);
            assertEquals(flags, file.statusFlags());
        }
    }

    private Endpoint open(final int flags) {
        final int result = FileCalls.open(path, flags | Constants.O_DIRECT);
        assumeTrue(result != -Errno.EINVAL, "the file system knows no O_DIRECT");
        return Endpoint.of(result, "open");
    }

    private long pass(final int flags) {
        return pass(open(flags));
    }

    private long pass(final Endpoint file) {
        guest = HOST.guest();
        HOST.connect(guest).application().pass("a file", file);
        return guest.receive().getData().getTransferredFd(0).getHandle();
    }

    private void assertRead(final long handle, final int offset, final int length) {
        final PreadResponse response = read(handle, offset, length);
        assertEquals(0, response.getErrorCode());
        assertArrayEquals(
            Arrays.copyOfRange(CONTENT, offset, offset + length), response.getBlob().toByteArray());
    }

    private PreadResponse read(final long handle, final long offset, final int length) {
        guest.send(Messages.preadRequest(-5, handle, length, offset));
        return guest.receive().getPreadResponse();
    }

    private PwriteResponse write(final long handle, final byte[] bytes, final long offset) {
        guest.send(Messages.pwriteRequest(-6, handle, bytes, offset));
        return guest.receive().getPwriteResponse();
    }
}
