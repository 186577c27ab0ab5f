/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.fuse;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.vsockproxy.posix.Constants;
import io.vsockproxy.posix.Descriptors;
import io.vsockproxy.posix.Errno;
import io.vsockproxy.posix.OwnedFd;
import io.vsockproxy.testing.ChildJvm;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.zip.CRC32;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * Mappings of files of the mount, in a process of their own: unmapping writes pages back with the process's memory map
 * locked, and the thread that handles those writes must not need that lock.
 */
@Timeout(value = 60, unit = TimeUnit.SECONDS, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class FuseMappingTest {
    private static final int LENGTH = FuseMount.MAX_DATA_LENGTH + 12345;
    private static final int MAPPED = 2 * FuseMount.MAX_DATA_LENGTH;
    private static final int PAGE = 4096;
    private static final int LAST_PAGE = LENGTH / PAGE * PAGE;

    @TempDir
    private Path directory;

    private final long seed = new Random().nextLong();
    private final byte[] content = new byte[LENGTH];
    private Fixture fixture;
    private MemoryBackend backend;
    private ChildJvm application;
    private int descriptorsBefore;

    @BeforeEach
    void mount() throws Exception {
        Fixture.assumeMountable();
        System.out.println("seed " + seed);
        new Random(seed).nextBytes(content);
        descriptorsBefore = Descriptors.count();
        application = ChildJvm.start(MappingProcess.class);
        fixture = new Fixture(directory.resolve("files"));
        backend = new MemoryBackend(content);
    }

    @AfterEach
    void unmount() throws Exception {
        if (fixture != null) {
            // It ends at the end of its input; if a test has failed, with its mappings still in place.
            application.close();
            fixture.end();
            assertEquals(1, backend.releases.get(), "released");
            backend.free();
            Descriptors.assertCount(descriptorsBefore);
        }
    }

    @Test
    void shouldMapPrivately() throws Exception {
        // Nothing asks for the size, and no descriptor stays open.
        final long fd = give(Constants.O_RDONLY);
        final long address = map(fd, Constants.PROT_READ | Constants.PROT_WRITE, Constants.MAP_PRIVATE);
        assertEquals(0, tell("close", fd));
        assertEquals(crc(content, 0, LENGTH), tell("load", address, LENGTH));
        assertEquals(-Errno.EFAULT, tell("load", address + LAST_PAGE + PAGE, 1));
        assertEquals(3, tell("store", address + 5, 3, 42));
        assertEquals(crc(new byte[] {42, 42, 42}, 0, 3), tell("load", address + 5, 3));
        assertEquals(0, backend.releases.get());
        assertEquals(0, tell("unmap", address, MAPPED));
        assertTrue(backend.released.await(Fixture.TIMEOUT_SECONDS, TimeUnit.SECONDS));
        assertArrayEquals(content, backendBytes());
        assertEquals(0, backend.writes.get());
    }

    @Test
    void shouldMapSharedForReading() throws Exception {
        final long fd = give(Constants.O_RDONLY);
        final long address = mapShared(fd, Constants.PROT_READ);
        assertEquals(crc(content, 0, LENGTH), tell("load", address, LENGTH));

        // A page that was touched keeps its content; a new mapping shows the current one.
        content[0] = (byte) ~content[0];
        fixture.run(() -> backend.memory.buffer().putByte(0, content[0]));
        final long second = mapShared(fd, Constants.PROT_READ);
        assertEquals(crc(content, 0, PAGE), tell("load", second, PAGE));

        // Growth shows in every mapping once somebody has asked for the size.
        final int end = LAST_PAGE + 2 * PAGE;
        fixture.run(() -> {
            backend.memory.buffer().putByte(end - 1, (byte) 42);
            backend.size = end;
        });
        assertEquals(-Errno.EFAULT, tell("load", address + end - 1, 1));
        assertEquals(end, tell("size", fd));
        assertEquals(crc(new byte[] {42}, 0, 1), tell("load", address + end - 1, 1));
        assertEquals(crc(content, 0, PAGE), tell("load", address, PAGE));
        assertEquals(0, tell("unmap", address, MAPPED));
        assertEquals(0, tell("unmap", second, MAPPED));
    }

    @Test
    void shouldShowOverwrittenBytesInAMappingAfterAnFstat() throws Exception {
        fixture.run(() -> {
            backend.mode = Constants.S_IFREG | 0600;
            backend.modificationTimeNs = 1;
        });
        final long fd = give(Constants.O_RDONLY);
        final long address = mapShared(fd, Constants.PROT_READ);
        assertEquals(LENGTH, tell("size", fd));
        assertEquals(crc(content, 0, LENGTH), tell("load", address, LENGTH));
        content[0] = (byte) ~content[0];
        fixture.run(() -> {
            backend.memory.buffer().putByte(0, content[0]);
            backend.modificationTimeNs = 2;
        });
        assertEquals(LENGTH, tell("size", fd));
        assertEquals(crc(content, 0, LENGTH), tell("load", address, LENGTH));
        assertEquals(0, tell("unmap", address, MAPPED));
    }

    @Test
    void shouldReadDirectlyWhatIsMappedToo() throws Exception {
        try (Client client = new Client(); OwnedFd file = fixture.open(backend, Constants.O_RDWR)) {
            final long fd = give(file, Constants.O_RDWR);
            final long address = mapShared(fd, Constants.PROT_READ);
            assertEquals(crc(content, 0, PAGE), tell("load", address, PAGE));
            content[0] = (byte) ~content[0];
            fixture.run(() -> backend.memory.buffer().putByte(0, content[0]));
            assertEquals(content[0], client.bytes(file.fd(), 0, 1)[0]);
            // A write through the mount takes the page out of the mappings.
            content[1] = (byte) ~content[1];
            assertEquals(1, client.pwrite(file.fd(), new byte[] {content[1]}, 1));
            assertEquals(crc(content, 0, PAGE), tell("load", address, PAGE));
            assertEquals(0, tell("unmap", address, MAPPED));
        }
    }

    @Test
    void shouldWriteWhatWasStoredInASharedMapping() throws Exception {
        final long fd = give(Constants.O_RDWR);
        final long address = mapShared(fd, Constants.PROT_READ | Constants.PROT_WRITE);
        assertEquals(0, tell("close", fd));
        for (int offset = 5; offset < LENGTH - 3; offset += 100_000) {
            assertEquals(3, tell("store", address + offset, 3, 42));
            Arrays.fill(content, offset, offset + 3, (byte) 42);
        }
        assertEquals(0, tell("unmap", address, MAPPED));
        assertTrue(backend.released.await(Fixture.TIMEOUT_SECONDS, TimeUnit.SECONDS));
        assertArrayEquals(content, backendBytes());
        assertEquals(LENGTH, backend.size);
    }

    @Test
    void shouldRefuseToAppendWhatWasStoredInASharedMapping() throws Exception {
        backend.appends = true;
        final long fd = give(Constants.O_RDWR | Constants.O_APPEND);
        final long address = mapShared(fd, Constants.PROT_READ | Constants.PROT_WRITE);
        assertEquals(0, tell("close", fd));
        assertEquals(3, tell("store", address + 5, 3, 42));
        tell("unmap", address, MAPPED);
        assertTrue(backend.released.await(Fixture.TIMEOUT_SECONDS, TimeUnit.SECONDS));
        assertEquals(LENGTH, backend.size);
        assertEquals(0, backend.writes.get());
    }

    @Test
    void shouldRefuseASharedMappingWithoutWriteAccess() throws Exception {
        final long fd = give(Constants.O_RDONLY);
        assertEquals(-Errno.EACCES, tell(
            "map", fd, MAPPED, Constants.PROT_READ | Constants.PROT_WRITE, Constants.MAP_SHARED));
    }

    @Test
    void shouldNotHangWhenTheMountEndsBelowAMapping() throws Exception {
        final long fd = give(Constants.O_RDWR);
        final long address = mapShared(fd, Constants.PROT_READ | Constants.PROT_WRITE);
        assertEquals(1, tell("store", address, 1, 42));
        fixture.run(fixture.mount::close);
        assertEquals(-Errno.EFAULT, tell("load", address + LAST_PAGE, 1));
        assertEquals(0, tell("unmap", address, MAPPED));
    }

    /** Opens the file, hands it to the application, and keeps nothing of it: returns the application's descriptor. */
    private long give(final int flags) throws Exception {
        try (OwnedFd file = fixture.open(backend, flags)) {
            return give(file, flags);
        }
    }

    private long give(final OwnedFd file, final int flags) throws Exception {
        final long fd = tell("open", "/proc/" + ProcessHandle.current().pid() + "/fd/" + file.fd(), flags);
        assertTrue(fd >= 0, () -> Errno.name((int) -fd));
        return fd;
    }

    private long mapShared(final long fd, final int protection) {
        final long address = tell("map", fd, MAPPED, protection, Constants.MAP_SHARED);
        assumeTrue(address != -Errno.ENODEV, "skipped: this kernel maps no direct I/O file as shared (before 6.6)");
        assertFalse(Errno.isError(address), () -> Errno.name((int) -address));
        return address;
    }

    private long map(final long fd, final int protection, final int flags) {
        final long address = tell("map", fd, MAPPED, protection, flags);
        assertFalse(Errno.isError(address), () -> Errno.name((int) -address));
        return address;
    }

    private long tell(final Object... words) {
        final StringBuilder line = new StringBuilder();
        for (final Object word : words) {
            line.append(line.isEmpty() ? "" : " ").append(word);
        }
        application.tell(line.toString());
        return Long.parseLong(application.answer());
    }

    private static long crc(final byte[] bytes, final int offset, final int length) {
        final CRC32 crc = new CRC32();
        crc.update(bytes, offset, length);
        return crc.getValue();
    }

    private byte[] backendBytes() throws Exception {
        return fixture.onLoop(() -> {
            final byte[] bytes = new byte[LENGTH];
            backend.memory.buffer().getBytes(0, bytes);
            return bytes;
        });
    }
}
