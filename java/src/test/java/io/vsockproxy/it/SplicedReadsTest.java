/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.it;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.vsockproxy.Role;
import io.vsockproxy.posix.Constants;
import io.vsockproxy.testing.Endpoint;
import io.vsockproxy.testing.FileCalls;
import io.vsockproxy.testing.MountedPair;
import io.vsockproxy.testing.Pattern;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * The answers to large reads go through the receiver's proxy by splice(2), whatever else is asked for between them. The
 * kernel counts what a process writes, but not what it splices.
 */
@Timeout(value = 60, unit = TimeUnit.SECONDS, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class SplicedReadsTest {
    private static final int LENGTH = 128 << 10;
    private static final int READS = 100;

    @RegisterExtension
    static final MountedPair PROXIES = new MountedPair();

    /** What an application does between two large reads. */
    enum Between {
        NOTHING {
            @Override
            void perform(final Endpoint file) {
                // One large read after the other.
            }
        },
        SMALL_READ {
            @Override
            void perform(final Endpoint file) {
                FileCalls.read(file, 5, 16);
            }
        },
        FSTAT {
            @Override
            void perform(final Endpoint file) {
                FileCalls.size(file);
            }
        };

        abstract void perform(Endpoint file);
    }

    @ParameterizedTest
    @EnumSource
    void shouldNotCopyLargeAnswers(final Between between) throws IOException {
        final byte[] content = Pattern.bytes(1, LENGTH);
        final Endpoint file = PROXIES.pass(Role.GUEST, PROXIES.file(content, Constants.O_RDONLY));
        final long before = bytesWritten();
        for (int i = 0; i < READS; i++) {
            assertArrayEquals(content, FileCalls.read(file, 0, LENGTH));
            between.perform(file);
        }
        final long copied = bytesWritten() - before;
        assertTrue(copied < (long) READS * LENGTH / 2, "written by the proxy: " + copied + " of " + READS * LENGTH);
    }

    /** By the receiver's proxy, by calls such as write(2). */
    private static long bytesWritten() throws IOException {
        final Path path = Path.of("/proc/" + PROXIES.proxy(Role.HOST).pid() + "/io");
        Assumptions.assumeTrue(Files.isReadable(path), "skipped: this kernel does not count what is written");
        return Files.readAllLines(path).stream().filter(line -> line.startsWith("wchar: "))
            .mapToLong(line -> Long.parseLong(line.substring("wchar: ".length()))).sum();
    }
}
