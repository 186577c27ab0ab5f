/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.file;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.sun.management.ThreadMXBean;
import io.vsockproxy.posix.Constants;
import io.vsockproxy.posix.Memory;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import org.agrona.DirectBuffer;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(value = 60, unit = TimeUnit.SECONDS)
class FileAllocationTest {
    private static final int LENGTH = 128 << 10;
    private static final int WARM_UP = 200;
    private static final int REQUESTS = 300;
    private static final int ROUNDS = 5;
    private static final long TURN_NS = 1_000_000;

    @TempDir(factory = DiskDirectory.class)
    private Path directory;

    private interface Request {
        void make(long cookie);
    }

    @BeforeAll
    static void needsADisk() {
        DiskDirectory.assumeAvailable();
    }

    @Test
    void shouldNotAllocatePerRequestOnTheLoop() throws IOException {
        final Path path = directory.resolve("file");
        Files.write(path, new byte[LENGTH]);
        try (ServedLink link = new ServedLink(
            FileLimits.DEFAULTS.withMapping(FileLimits.NEVER_MAPPED, FileLimits.NEVER_MAPPED, 1));
            ServedLink mapped = new ServedLink(FileLimits.DEFAULTS.withMapping(4096, 4096, 0));
            Memory memory = Memory.allocate(LENGTH)) {
            final LocalFile file = link.open(path, Constants.O_RDWR);
            link.sizeNow(file);
            final LocalFile mappedFile = mapped.open(path, Constants.O_RDWR);
            mapped.sizeNow(mappedFile);
            final DirectBuffer bytes = memory.buffer();
            check("copied read", link, cookie -> link.server.read(file, cookie, LENGTH, 0));
            check("mapped read", mapped, cookie -> mapped.server.read(mappedFile, cookie, LENGTH, 0));
            assertEquals(1, TestFiles.mappings(path));
            check("examine", link, cookie -> link.server.examine(file, cookie));
            // ext4 has no RWF_NOWAIT for these, so a worker does them.
            check("write", link, cookie -> link.server.write(file, cookie, bytes, 0, LENGTH, 0));
            check("truncate", link, cookie -> link.server.truncate(file, cookie, LENGTH));
        }
    }

    private static void check(final String what, final ServedLink link, final Request request) {
        run(link, request, WARM_UP);
        // What the JVM allocates once, in any round, is not per request.
        long allocated = Long.MAX_VALUE;
        for (int i = 0; i < ROUNDS && allocated >= REQUESTS; i++) {
            allocated = run(link, request, REQUESTS);
        }
        assertTrue(allocated < REQUESTS, what + ": allocated bytes: " + allocated);
    }

    /** What the loop's thread allocates, the peer's part in it left out. */
    private static long run(final ServedLink link, final Request request, final int count) {
        final ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        long allocated = 0;
        for (int i = 0; i < count; i++) {
            final long cookie = link.newCookie();
            final long beforeRequest = threads.getCurrentThreadAllocatedBytes();
            request.make(cookie);
            allocated += threads.getCurrentThreadAllocatedBytes() - beforeRequest;
            while (!link.isAnswered(cookie)) {
                final long before = threads.getCurrentThreadAllocatedBytes();
                link.loop.turn(TURN_NS);
                allocated += threads.getCurrentThreadAllocatedBytes() - before;
                link.receive(Integer.MAX_VALUE);
            }
        }
        return allocated;
    }
}
