/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.it;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import io.vsockproxy.Role;
import io.vsockproxy.posix.Constants;
import io.vsockproxy.posix.Errno;
import io.vsockproxy.testing.Endpoint;
import io.vsockproxy.testing.FileCalls;
import io.vsockproxy.testing.MountedPair;
import io.vsockproxy.testing.Pattern;
import io.vsockproxy.testing.RunsOverVsock;
import java.io.IOException;
import java.util.Arrays;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Applications that send from a received file without reading it. The kernel would take the bytes from its page cache,
 * which may be out of date.
 */
@RunsOverVsock
@Timeout(value = 60, unit = TimeUnit.SECONDS, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class FileSendingTest {
    /** More than the file ever has, and less than a pipe takes. */
    private static final int LENGTH = 50_000;

    @RegisterExtension
    static final MountedPair PROXIES = new MountedPair();

    /** A call that sends up to {@link #LENGTH} bytes of a file from an offset on. */
    enum Call {
        SENDFILE {
            @Override
            byte[] send(final Endpoint file, final long offset) {
                final Endpoint[] pipe = PROXIES.closing(Endpoint.pipe());
                return received(FileCalls.send(file, offset, LENGTH, pipe[1]), pipe[0]);
            }
        },
        SPLICE {
            @Override
            byte[] send(final Endpoint file, final long offset) {
                final Endpoint[] pipe = PROXIES.closing(Endpoint.pipe());
                return received(FileCalls.splice(file, offset, LENGTH, pipe[1]), pipe[0]);
            }
        },
        COPY_FILE_RANGE {
            @Override
            byte[] send(final Endpoint file, final long offset) throws IOException {
                // The kernel copies only within one file system, so both files are on the same mount. It does not copy
                // beyond the size that it has cached, and programs that copy ask for the size first.
                final Endpoint copy = PROXIES.pass(Role.GUEST, PROXIES.file(new byte[0], Constants.O_RDWR));
                FileCalls.size(file);
                final long sent = FileCalls.copy(file, offset, LENGTH, copy);
                Assumptions.assumeFalse(sent == -Errno.ENOSYS, "skipped: no copy_file_range");
                return sent < 0 ? received(sent, null) : FileCalls.read(copy, 0, LENGTH);
            }
        };

        abstract byte[] send(Endpoint file, long offset) throws IOException;

        private static byte[] received(final long sent, final Endpoint pipe) {
            assertEquals(FileCalls.describe(Math.max(0, sent)), FileCalls.describe(sent));
            return sent == 0 ? new byte[0] : pipe.readFully((int) sent);
        }
    }

    @ParameterizedTest
    @EnumSource
    void shouldSendWhatTheOwnersFileHasNow(final Call call) throws IOException {
        final byte[] content = Pattern.bytes(1, 10_000);
        final Endpoint original = PROXIES.file(content, Constants.O_RDWR);
        final Endpoint file = PROXIES.pass(Role.GUEST, original);
        assertArrayEquals(content, call.send(file, 0));
        assertArrayEquals(Arrays.copyOfRange(content, 4097, content.length), call.send(file, 4097));

        final byte[] overwritten = Pattern.bytes(2, content.length);
        assertEquals(content.length, FileCalls.write(original, 0, overwritten));
        assertArrayEquals(overwritten, call.send(file, 0));

        final byte[] grown = Arrays.copyOf(overwritten, 3 * content.length);
        assertEquals(content.length, FileCalls.write(original, 2L * content.length, overwritten));
        System.arraycopy(overwritten, 0, grown, 2 * content.length, content.length);
        assertArrayEquals(grown, call.send(file, 0));

        assertEquals(0, FileCalls.truncate(original, 5));
        assertArrayEquals(Arrays.copyOf(overwritten, 5), call.send(file, 0));
        assertArrayEquals(new byte[0], call.send(file, 5));
    }
}
