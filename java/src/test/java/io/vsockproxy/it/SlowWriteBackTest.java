/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.it;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.vsockproxy.Role;
import io.vsockproxy.fuse.MappingProcess;
import io.vsockproxy.fuse.SlowFileProcess;
import io.vsockproxy.posix.Constants;
import io.vsockproxy.testing.Background;
import io.vsockproxy.testing.ChildJvm;
import io.vsockproxy.testing.Endpoint;
import io.vsockproxy.testing.FileCalls;
import io.vsockproxy.testing.MountedPair;
import io.vsockproxy.testing.Mounts;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;

/**
 * More is stored in a mapping of a received file than its owner keeps while its device does not answer.
 */
@Timeout(value = 120, unit = TimeUnit.SECONDS, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class SlowWriteBackTest {
    /** Twice what the owner keeps. */
    private static final int LENGTH = 64 << 20;
    private static final int PIECE = 1 << 20;
    private static final int ROUNDS = 4;
    private static final long STALL_MS = 2000;

    @RegisterExtension
    static final MountedPair PROXIES = new MountedPair();

    @Test
    void shouldLoseNothingThatIsStoredWhileTheDeviceStalls() throws Exception {
        Mounts.assumeMountable();
        final Path directory = Files.createTempDirectory("vp");
        try (ChildJvm device = ChildJvm.start(
                SlowFileProcess.class, directory.resolve("device").toString(), Integer.toString(LENGTH), "1");
            ChildJvm application = ChildJvm.start(MappingProcess.class)) {
            final Path descriptor = Path.of("/proc/" + device.pid() + "/fd/" + device.answer());
            final Endpoint original = PROXIES.closing(Endpoint.open(descriptor, Constants.O_RDWR));
            final Endpoint file = PROXIES.pass(Role.HOST, original);
            final long fd = tell(
                application, "open", "/proc/" + ProcessHandle.current().pid() + "/fd/" + file.fd(), Constants.O_RDWR);
            final long address = tell(
                application, "map", fd, LENGTH, Constants.PROT_READ | Constants.PROT_WRITE, Constants.MAP_SHARED);
            assertTrue(address > 0, () -> FileCalls.describe(address));
            // So that the kernel learns how fast the device is, and lets that much be stored before it writes back.
            for (int round = 1; round < ROUNDS; round++) {
                assertEquals(LENGTH, tell(application, "fill", address, LENGTH, round));
                assertEquals(0, tell(application, "sync", fd));
            }
            device.tell("hold");
            assertEquals("done", device.answer());
            final CompletableFuture<Long> synchronising = Background.start(() -> {
                assertEquals(LENGTH, tell(application, "fill", address, LENGTH, ROUNDS));
                return tell(application, "sync", fd);
            });
            assertEquals("write", device.answer());
            Thread.sleep(STALL_MS);
            device.tell("release");
            while (!"done".equals(device.answer())) {
                // A request that had not been announced yet.
            }
            assertEquals(0, Background.join(synchronising));
            assertEquals(0, tell(application, "unmap", address, LENGTH));
            assertEquals(0, tell(application, "close", fd));
            assertAll((byte) ROUNDS, original);
        } finally {
            assertEquals(List.of(), Mounts.below(directory));
            MountedPair.delete(directory);
        }
    }

    private static void assertAll(final byte value, final Endpoint file) {
        final byte[] expected = new byte[PIECE];
        Arrays.fill(expected, value);
        for (int offset = 0; offset < LENGTH; offset += PIECE) {
            assertTrue(Arrays.equals(expected, FileCalls.read(file, offset, PIECE)), "at " + offset);
        }
    }

    private static long tell(final ChildJvm application, final Object... words) {
        application.tell(String.join(" ", Arrays.stream(words).map(Object::toString).toList()));
        return Long.parseLong(application.answer());
    }
}
