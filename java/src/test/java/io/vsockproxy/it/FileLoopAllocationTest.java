/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.it;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.vsockproxy.Role;
import io.vsockproxy.posix.Constants;
import io.vsockproxy.testing.AllocatedBytes;
import io.vsockproxy.testing.Endpoint;
import io.vsockproxy.testing.FileCalls;
import io.vsockproxy.testing.MountedPair;
import io.vsockproxy.testing.Pattern;
import java.io.IOException;
import java.util.concurrent.TimeUnit;
import java.util.function.IntConsumer;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * What two proxies allocate while an application uses a file that the other side has passed: the loop of
 * the side with the mount, that of the owner, and the owner's workers.
 */
@Timeout(value = 120, unit = TimeUnit.SECONDS)
class FileLoopAllocationTest {
    private static final int CALLS = 4_000;
    private static final int SMALL = 4096;
    /** So long that a pipe carries the answer. */
    private static final int LARGE = 128 << 10;
    private static final int PIECES = 8;

    @RegisterExtension
    static final MountedPair PROXIES = new MountedPair();

    @BeforeAll
    static void letIn() {
        AllocatedBytes.letIn(PROXIES.proxy(Role.HOST), PROXIES.proxy(Role.GUEST));
        PROXIES.countDescriptors();
    }

    @ParameterizedTest
    @EnumSource
    void shouldNotAllocatePerCallOnAFile(final Role owner) throws IOException {
        final Endpoint file = PROXIES.pass(owner, PROXIES.file(Pattern.bytes(1, PIECES * LARGE), Constants.O_RDWR));
        for (final int length : new int[] {SMALL, LARGE}) {
            final byte[] bytes = new byte[length];
            check("pread of " + length, owner, i ->
                assertEquals(length, FileCalls.read(file, (long) i % PIECES * length, bytes)));
            check("pwrite of " + length, owner, i ->
                assertEquals(length, FileCalls.write(file, (long) i % PIECES * length, bytes)));
        }
        check("fstat", owner, i -> assertEquals(PIECES * LARGE, FileCalls.size(file)));
        check("ftruncate", owner, i -> assertEquals(0, FileCalls.truncate(file, PIECES * LARGE)));
    }

    private static void check(final String what, final Role owner, final IntConsumer call) {
        AllocatedBytes.assertNonePerCall(
            what + " of the " + owner, CALLS, call, PROXIES.proxy(Role.HOST), PROXIES.proxy(Role.GUEST));
    }
}
