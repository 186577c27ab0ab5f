/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.it;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.protobuf.ByteString;
import io.vsockproxy.posix.Constants;
import io.vsockproxy.posix.Errno;
import io.vsockproxy.proto.Data;
import io.vsockproxy.proto.FileDescriptor;
import io.vsockproxy.proto.PreadResponse;
import io.vsockproxy.proto.VSockMessage;
import io.vsockproxy.testing.Endpoint;
import io.vsockproxy.testing.Messages;
import io.vsockproxy.testing.Pattern;
import io.vsockproxy.testing.RawPeer;
import io.vsockproxy.testing.RunningHost;
import io.vsockproxy.testing.RunningHost.Connection;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;

/**
 * Requests about a regular file that an application of the host has passed to a guest.
 */
@Timeout(value = 60, unit = TimeUnit.SECONDS)
class OwnerFilesTest {
    private static final int LENGTH = 100_000;
    private static final byte[] CONTENT = Pattern.bytes(1, LENGTH);

    @RegisterExtension
    static final RunningHost HOST = new RunningHost();

    @TempDir
    Path directory;
    private RawPeer guest;
    private Path path;

    @Test
    void shouldListAFileWithItsFlagsAndKeepItForTheGuest() throws IOException {
        guest = HOST.guest();
        final Connection connection = HOST.connect(guest);
        path = Files.write(directory.resolve("file"), CONTENT);
        final Endpoint file = Endpoint.open(path, Constants.O_RDWR | Constants.O_APPEND);
        final int flags = file.statusFlags();
        connection.application().pass("a file", file);
        final Data data = guest.receive().getData();
        assertEquals("a file", data.getBlob().toStringUtf8());
        final FileDescriptor descriptor = data.getTransferredFd(0);
        assertEquals(FileDescriptor.Type.REGULAR_FILE, descriptor.getType());
        assertEquals(flags, descriptor.getFlags());
        assertTrue(descriptor.getHandle() > 0);
        Files.delete(path);
        assertArrayEquals(CONTENT, pread(descriptor.getHandle(), LENGTH, 0).getBlob().toByteArray());
    }

    @Test
    void shouldReadWhatIsAskedFor() throws IOException {
        final long handle = passFile(Constants.O_RDONLY);
        assertRead(handle, 0, 0, 0);
        assertRead(handle, 1, 0, 1);
        assertRead(handle, 10, 4095, 10);
        assertRead(handle, LENGTH, 0, LENGTH);
        assertRead(handle, LENGTH - 1, 1, LENGTH - 1);
    }

    @Test
    void shouldReadShortAtTheEndAndNothingBehindIt() throws IOException {
        final long handle = passFile(Constants.O_RDONLY);
        assertRead(handle, LENGTH, LENGTH - 5, 5);
        assertRead(handle, 10, LENGTH, 0);
        assertRead(handle, 10, LENGTH + 12_345, 0);
        assertRead(handle, 10, 1L << 40, 0);
        assertRead(handle, 10, Long.MAX_VALUE - 10, 0);
    }

    @Test
    void shouldServeAHugeCountShort() throws IOException {
        final long handle = passFile(Constants.O_RDONLY);
        for (final long count : new long[] {1L << 31, 1L << 32, Long.MAX_VALUE, Long.MIN_VALUE, -1}) {
            assertRead(handle, count, 10, LENGTH - 10);
        }
    }

    @Test
    void shouldServeALargeReadInPartsOfBoundedLength() throws IOException {
        final byte[] large = Pattern.bytes(2, 5 << 20);
        final long handle = passFile(Constants.O_RDONLY, large);
        int done = 0;
        while (done < large.length) {
            final byte[] part = pread(handle, large.length - done, done).getBlob().toByteArray();
            assertTrue(part.length > 0 && part.length <= 4 << 20, "length=" + part.length);
            assertArrayEquals(Arrays.copyOfRange(large, done, done + part.length), part);
            done += part.length;
        }
    }

    @Test
    void shouldRefuseOffsetsThatNoFileHas() throws IOException {
        final long handle = passFile(Constants.O_RDWR);
        for (final long offset : new long[] {Long.MIN_VALUE, -1}) {
            assertEquals(Errno.EINVAL, pread(handle, 10, offset).getErrorCode());
            guest.send(Messages.pwriteRequest(-3, handle, new byte[10], offset));
            assertEquals(Errno.EINVAL, guest.receive().getPwriteResponse().getErrorCode());
            guest.send(Messages.ftruncateRequest(-4, handle, offset));
            assertEquals(Errno.EINVAL, guest.receive().getFtruncateResponse().getErrorCode());
        }
        assertArrayEquals(CONTENT, Files.readAllBytes(path));
    }

    @Test
    void shouldTellTheLength() throws IOException {
        final long handle = passFile(Constants.O_RDONLY);
        assertEquals(LENGTH, length(handle));
        Files.write(path, new byte[77]);
        assertEquals(77, length(handle));
        assertContent(handle, 100, 0, new byte[77]);
    }

    @Test
    void shouldWriteAndExtend() throws IOException {
        final long handle = passFile(Constants.O_RDWR);
        final byte[] patch = Pattern.bytes(3, 5000);
        assertEquals(patch.length, pwrite(handle, patch, 100));
        assertEquals(patch.length, pwrite(handle, patch, LENGTH + 1000));
        assertEquals(LENGTH + 1000 + patch.length, length(handle));
        assertContent(handle, patch.length, 100, patch);
        assertContent(handle, patch.length, LENGTH + 1000, patch);
        assertContent(handle, 1000, LENGTH, new byte[1000]);
        final byte[] now = Files.readAllBytes(path);
        assertArrayEquals(patch, Arrays.copyOfRange(now, 100, 100 + patch.length));
        assertArrayEquals(patch, Arrays.copyOfRange(now, LENGTH + 1000, now.length));
        assertEquals(0, pwrite(handle, new byte[0], 5));
    }

    @Test
    void shouldCutAndExtend() throws IOException {
        final long handle = passFile(Constants.O_RDWR);
        assertEquals(0, truncate(handle, 10));
        assertEquals(10, Files.size(path));
        assertRead(handle, 100, 0, 10);
        assertEquals(0, truncate(handle, 5000));
        assertEquals(5000, length(handle));
        assertContent(handle, 5000, 10, new byte[4990]);
    }

    @Test
    void shouldRefuseToWriteWhatWasPassedReadOnly() throws IOException {
        final long handle = passFile(Constants.O_RDONLY);
        guest.send(Messages.pwriteRequest(-3, handle, new byte[10], 0));
        assertEquals(Errno.EBADF, guest.receive().getPwriteResponse().getErrorCode());
        final int errno = truncate(handle, 0);
        assertTrue(errno == Errno.EINVAL || errno == Errno.EBADF, "errno=" + errno);
        assertArrayEquals(CONTENT, Files.readAllBytes(path));
    }

    @Test
    void shouldRefuseToReadWhatWasPassedWriteOnly() throws IOException {
        final long handle = passFile(Constants.O_WRONLY);
        assertEquals(Errno.EBADF, pread(handle, 10, 0).getErrorCode());
        assertEquals(3, pwrite(handle, new byte[3], 0));
    }

    @Test
    void shouldAnswerInTheOrderOfTheRequestsWhatDependsOnIt() throws IOException {
        final long handle = passFile(Constants.O_RDWR);
        final int rounds = 200;
        final VSockMessage[] requests = new VSockMessage[3 * rounds];
        for (int i = 0; i < rounds; i++) {
            requests[3 * i] = Messages.pwriteRequest(-1 - 10L * i, handle, new byte[] {(byte) i}, 50);
            requests[3 * i + 1] = Messages.ftruncateRequest(-2 - 10L * i, handle, 1000 + i);
            requests[3 * i + 2] = Messages.preadRequest(-3 - 10L * i, handle, 1, 50);
        }
        guest.send(RawPeer.frames(requests));
        for (int i = 0; i < rounds; i++) {
            assertEquals(-1 - 10L * i, guest.receive().getPwriteResponse().getCookie());
            assertEquals(-2 - 10L * i, guest.receive().getFtruncateResponse().getCookie());
            final PreadResponse response = guest.receive().getPreadResponse();
            assertEquals(-3 - 10L * i, response.getCookie());
            assertEquals((byte) i, response.getBlob().byteAt(0));
        }
        assertEquals(1000 + rounds - 1, length(handle));
    }

    @Test
    void shouldCloseTheFileWhenTheGuestIsDoneWithIt() throws IOException {
        final long handle = passFile(Constants.O_RDONLY);
        guest.send(RawPeer.frames(Messages.preadRequest(-1, handle, 5, 0), Messages.close(handle)));
        assertEquals(5, guest.receive().getPreadResponse().getBlob().size());
        assertEquals(Errno.EBADF, pread(handle, 10, 0).getErrorCode());
        // That the descriptor is closed is checked after every test, by counting.
    }

    @Test
    void shouldReadAFileThatPretendsToBeEmpty() throws IOException {
        guest = HOST.guest();
        final Connection connection = HOST.connect(guest);
        connection.application().pass("proc", Endpoint.open(Path.of("/proc/version"), Constants.O_RDONLY));
        final long handle = guest.receive().getData().getTransferredFd(0).getHandle();
        final ByteString content = pread(handle, 1000, 0).getBlob();
        assertTrue(content.toStringUtf8().startsWith("Linux "), content::toStringUtf8);
    }

    @Test
    void shouldEndTheSessionOfAPeerThatAsksForMuchAndDoesNotRead() throws IOException {
        final long handle = passFile(Constants.O_RDWR);
        final byte[] requests = RawPeer.frames(
            Messages.preadRequest(-1, handle, LENGTH, 0), Messages.fstatRequest(-2, handle),
            Messages.ftruncateRequest(-3, handle, LENGTH), Messages.pwriteRequest(-4, handle, new byte[1], 0));
        int result = 0;
        long sent = 0;
        while (result != -Errno.EPIPE && result != -Errno.ECONNRESET) {
            assertTrue(sent < 400L << 20, "it goes on answering");
            final int offset = (int) (sent % requests.length);
            result = guest.link().trySend(requests, offset, requests.length - offset);
            if (result == -Errno.EAGAIN) {
                guest.link().await(Constants.EPOLLOUT, "the host to read on, or to end the session");
            }
            sent += Math.max(0, result);
        }
        HOST.log().awaitOne("session ended: ");
    }

    private long passFile(final int flags) throws IOException {
        return passFile(flags, CONTENT);
    }

    private long passFile(final int flags, final byte[] content) throws IOException {
        guest = HOST.guest();
        path = Files.write(directory.resolve("file"), content);
        HOST.connect(guest).application().pass("f", Endpoint.open(path, flags));
        return guest.receive().getData().getTransferredFd(0).getHandle();
    }

    private PreadResponse pread(final long handle, final long count, final long offset) {
        guest.send(Messages.preadRequest(-1234, handle, count, offset));
        final PreadResponse response = guest.receive().getPreadResponse();
        assertEquals(-1234, response.getCookie());
        return response;
    }

    private void assertRead(final long handle, final long count, final long offset, final int expectedLength) {
        final int from = (int) Math.min(offset, LENGTH);
        assertContent(handle, count, offset, Arrays.copyOfRange(CONTENT, from, from + expectedLength));
    }

    private void assertContent(final long handle, final long count, final long offset, final byte[] expected) {
        final PreadResponse response = pread(handle, count, offset);
        assertEquals(0, response.getErrorCode());
        assertArrayEquals(expected, response.getBlob().toByteArray());
    }

    private long pwrite(final long handle, final byte[] bytes, final long offset) {
        guest.send(Messages.pwriteRequest(-3, handle, bytes, offset));
        final var response = guest.receive().getPwriteResponse();
        assertEquals(0, response.getErrorCode());
        return response.getBytesWritten();
    }

    private long length(final long handle) {
        guest.send(Messages.fstatRequest(-4, handle));
        final var response = guest.receive().getFstatResponse();
        assertEquals(0, response.getErrorCode());
        return response.getSize();
    }

    private int truncate(final long handle, final long length) {
        guest.send(Messages.ftruncateRequest(-5, handle, length));
        return guest.receive().getFtruncateResponse().getErrorCode();
    }
}
