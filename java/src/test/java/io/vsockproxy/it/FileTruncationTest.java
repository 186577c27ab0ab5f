/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.it;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.vsockproxy.Role;
import io.vsockproxy.posix.Constants;
import io.vsockproxy.posix.Errno;
import io.vsockproxy.testing.Background;
import io.vsockproxy.testing.Endpoint;
import io.vsockproxy.testing.FileCalls;
import io.vsockproxy.testing.MountedPair;
import io.vsockproxy.testing.Pattern;
import io.vsockproxy.testing.RunsOverVsock;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Files cut under their readers. */
@RunsOverVsock
@Timeout(value = 120, unit = TimeUnit.SECONDS, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class FileTruncationTest {
    private static final int LENGTH = 4 << 20;
    private static final int READ_LENGTH = 1 << 20;
    private static final int CUTS = 1500;
    private static final int READERS = 3;

    @RegisterExtension
    static final MountedPair PROXIES = new MountedPair();

    @Test
    void shouldShowTheNewEndAtOnce() throws IOException {
        final Endpoint original = PROXIES.file(Pattern.bytes(1, LENGTH), Constants.O_RDWR);
        final Endpoint file = PROXIES.pass(Role.GUEST, original);
        assertEquals(READ_LENGTH, FileCalls.read(file, 0, READ_LENGTH).length);
        FileCalls.truncate(original, 1000);
        assertEquals(1000, FileCalls.read(file, 0, READ_LENGTH).length);
        assertEquals(0, FileCalls.read(file, 1000, READ_LENGTH).length);
        assertEquals(1000, FileCalls.size(file));
        assertEquals(1000, FileCalls.seek(file, 0, FileCalls.SEEK_END));
    }

    /**
     * For a file in memory, reads are answered from a mapping, and the end of the file moves while answers are on their
     * way to the link: each must still be a whole frame, and the session must go on. A read shows the pattern, or zeros
     * where the file was cut.
     */
    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void shouldSurviveBeingCutInTheMiddleOfLargeReads(final boolean inMemory) throws IOException {
        final byte[] content = Pattern.bytes(2, LENGTH);
        final Endpoint original = inMemory
            ? PROXIES.closing(FileCalls.memfd(new byte[0])) : PROXIES.file(new byte[0], Constants.O_RDWR);
        fill(original, content);
        final Endpoint[] ends = PROXIES.connect(Role.GUEST);
        final Endpoint file = PROXIES.pass(ends[0], ends[1], original);
        final AtomicBoolean stopped = new AtomicBoolean();
        final List<CompletableFuture<Integer>> readers = new ArrayList<>();
        for (int i = 0; i < READERS; i++) {
            readers.add(Background.start(() -> readUntil(stopped, file, content)));
        }
        for (int i = 0; i < CUTS; i++) {
            FileCalls.truncate(original, (long) i * 4099 % LENGTH);
            if (i % 50 == 0) {
                fill(original, content);
            } else {
                FileCalls.truncate(original, LENGTH);
                FileCalls.write(original, 0, Arrays.copyOf(content, READ_LENGTH));
            }
        }
        stopped.set(true);
        int reads = 0;
        for (final CompletableFuture<Integer> reader : readers) {
            reads += Background.join(reader);
        }
        System.out.println("reads while the file was cut " + CUTS + " times: " + reads);
        assertTrue(reads > 0);
        // The session goes on, and so does the stream that the file was passed on.
        fill(original, content);
        assertArrayEquals(Arrays.copyOf(content, READ_LENGTH), FileCalls.read(file, 0, READ_LENGTH));
        ends[0].send("still here");
        assertEquals("still here", ends[1].readText(10));
    }

    private static int readUntil(final AtomicBoolean stopped, final Endpoint file, final byte[] content) {
        final byte[] bytes = new byte[READ_LENGTH];
        int reads = 0;
        for (; !stopped.get() || reads == 0; reads++) {
            final int offset = reads % (LENGTH / READ_LENGTH) * READ_LENGTH;
            final int count = FileCalls.read(file, offset, bytes);
            // If the file was cut in the middle of an answer, that read may fail.
            assertTrue(count >= 0 || count == -Errno.EIO || count == -Errno.EFAULT, () -> FileCalls.describe(count));
            for (int i = 0; i < count; i++) {
                if (bytes[i] != content[offset + i] && bytes[i] != 0) {
                    assertEquals(content[offset + i], bytes[i], "at " + (offset + i) + " of a read of " + count);
                }
            }
        }
        return reads;
    }

    private static void fill(final Endpoint file, final byte[] content) {
        for (int done = 0; done < content.length; done += READ_LENGTH) {
            final byte[] piece = Arrays.copyOfRange(content, done, done + READ_LENGTH);
            assertEquals(READ_LENGTH, FileCalls.write(file, done, piece));
        }
    }
}
