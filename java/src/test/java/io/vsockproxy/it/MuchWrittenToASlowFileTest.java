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
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;

/**
 * More is written to a received file, or stored in a mapping of it, than its owner keeps while its device does not
 * answer.
 */
@Timeout(value = 120, unit = TimeUnit.SECONDS, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class MuchWrittenToASlowFileTest {
    /** Twice what the owner keeps. */
    private static final int LENGTH = 64 << 20;
    private static final int PIECE = 1 << 20;
    /** Together they write more than the owner keeps, and fewer of them wait than would be cut short. */
    private static final int WRITERS = 48;
    private static final int ROUNDS = 10;
    private static final long STALL_MS = 2000;

    @RegisterExtension
    static final MountedPair PROXIES = new MountedPair();

    private Path directory;
    private ChildJvm device;
    private Endpoint original;
    private Endpoint file;

    @BeforeEach
    void passAFileOfADevice() throws IOException {
        Mounts.assumeMountable();
        directory = Files.createTempDirectory("vp");
        device = ChildJvm.start(
            SlowFileProcess.class, directory.resolve("device").toString(), Integer.toString(LENGTH), "1");
        final Path descriptor = Path.of("/proc/" + device.pid() + "/fd/" + device.answer());
        original = PROXIES.closing(Endpoint.open(descriptor, Constants.O_RDWR));
        file = PROXIES.pass(Role.HOST, original);
    }

    @AfterEach
    void endDevice() throws IOException {
        if (device != null) {
            device.close();
            assertEquals(List.of(), Mounts.below(directory));
            MountedPair.delete(directory);
        }
    }

    @Test
    void shouldLoseNothingThatIsStoredWhileTheDeviceStalls() throws Exception {
        try (ChildJvm application = ChildJvm.start(MappingProcess.class)) {
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
            hold();
            final CompletableFuture<Long> synchronising = Background.start(() -> {
                assertEquals(LENGTH, tell(application, "fill", address, LENGTH, ROUNDS));
                return tell(application, "sync", fd);
            });
            stallAndRelease();
            assertEquals(0, Background.join(synchronising));
            assertEquals(0, tell(application, "unmap", address, LENGTH));
            assertEquals(0, tell(application, "close", fd));
            assertAll(LENGTH, (byte) ROUNDS, original);
        }
    }

    @Test
    void shouldCarryOutEveryWriteOfManyWritersWhenTheDeviceGoesOn() throws Exception {
        final byte[] piece = new byte[PIECE];
        Arrays.fill(piece, (byte) 7);
        hold();
        final List<CompletableFuture<Integer>> writes = new ArrayList<>();
        for (int i = 0; i < WRITERS; i++) {
            final long offset = (long) i * PIECE;
            writes.add(Background.start(() -> FileCalls.write(file, offset, piece)));
        }
        stallAndRelease();
        for (final CompletableFuture<Integer> write : writes) {
            assertEquals(PIECE, Background.join(write));
        }
        assertAll(WRITERS * PIECE, (byte) 7, original);
    }

    private void hold() {
        device.tell("hold");
        assertEquals("done", device.answer());
    }

    private void stallAndRelease() throws InterruptedException {
        assertEquals("write", device.answer());
        Thread.sleep(STALL_MS);
        device.tell("release");
        while (!"done".equals(device.answer())) {
            // A request that had not been announced yet.
        }
    }

    private static void assertAll(final int length, final byte value, final Endpoint file) {
        final byte[] expected = new byte[PIECE];
        Arrays.fill(expected, value);
        for (int offset = 0; offset < length; offset += PIECE) {
            assertTrue(Arrays.equals(expected, FileCalls.read(file, offset, PIECE)), "at " + offset);
        }
    }

    private static long tell(final ChildJvm application, final Object... words) {
        application.tell(String.join(" ", Arrays.stream(words).map(Object::toString).toList()));
        return Long.parseLong(application.answer());
    }
}
