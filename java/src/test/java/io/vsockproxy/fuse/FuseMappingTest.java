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
import io.vsockproxy.posix.Memory;
import io.vsockproxy.posix.OwnedFd;
import io.vsockproxy.posix.Syscalls;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * Mappings of files of the mount. They are touched by system calls only, never by Java's own loads: a thread in a page
 * fault reaches no safepoint, and the thread that serves the fault may be waiting for one.
 */
@Timeout(value = 60, unit = TimeUnit.SECONDS, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class FuseMappingTest {
    private static final int LENGTH = FuseMount.MAX_DATA_LENGTH + 12345;
    private static final int MAPPED = 2 * FuseMount.MAX_DATA_LENGTH;
    private static final int PAGE = 4096;

    @TempDir
    private Path directory;

    private final long seed = new Random().nextLong();
    private final byte[] content = new byte[LENGTH];
    private Fixture fixture;
    private MemoryBackend backend;
    private Client client;
    private Memory scratch;
    private int descriptorsBefore;

    @BeforeEach
    void mount() throws Exception {
        Fixture.assumeMountable();
        System.out.println("seed " + seed);
        new Random(seed).nextBytes(content);
        descriptorsBefore = Descriptors.count();
        fixture = new Fixture(directory.resolve("files"));
        backend = new MemoryBackend(content);
        client = new Client();
        scratch = Memory.allocate(2 * PAGE);
    }

    @AfterEach
    void unmount() throws Exception {
        if (fixture != null) {
            fixture.end();
            assertEquals(1, backend.releases.get(), "released");
            backend.free();
            client.close();
            scratch.close();
            Descriptors.assertCount(descriptorsBefore);
        }
    }

    @Test
    void shouldMapPrivately() throws Exception {
        final long address;
        try (OwnedFd file = fixture.open(backend, Constants.O_RDONLY)) {
            address = map(file.fd(), Constants.PROT_READ | Constants.PROT_WRITE, Constants.MAP_PRIVATE);
        }
        // Nobody has asked for the size, and the descriptor is closed.
        assertArrayEquals(content, load(address, LENGTH));
        assertEquals(-Errno.EFAULT, tryLoad(address + LENGTH / PAGE * PAGE + PAGE, 1));
        store(address + 5, new byte[] {1, 2, 3});
        assertArrayEquals(new byte[] {1, 2, 3}, load(address + 5, 3));
        assertEquals(0, backend.releases.get());
        assertEquals(0, Syscalls.munmap(address, MAPPED));
        assertTrue(backend.released.await(Fixture.TIMEOUT_SECONDS, TimeUnit.SECONDS));
        assertArrayEquals(Arrays.copyOf(content, 100), backendBytes(0, 100));
        assertEquals(0, backend.writes.get());
    }

    @Test
    void shouldMapSharedForReading() throws Exception {
        try (OwnedFd file = fixture.open(backend, Constants.O_RDONLY)) {
            final long address = mapShared(file.fd(), Constants.PROT_READ);
            assertArrayEquals(content, load(address, LENGTH));

            // A page that was touched stays as it was; a mapping made anew does not.
            fixture.run(() -> backend.memory.buffer().putByte(0, (byte) ~content[0]));
            final long second = mapShared(file.fd(), Constants.PROT_READ);
            assertEquals(~content[0], load(second, 1)[0]);

            // Growth shows in every mapping once somebody has asked for the size.
            final int end = LENGTH / PAGE * PAGE + 2 * PAGE;
            fixture.run(() -> {
                backend.memory.buffer().putByte(end - 1, (byte) 42);
                backend.size = end;
            });
            assertEquals(end, client.size(file.fd()));
            assertEquals(42, load(address + end - 1, 1)[0]);
            assertEquals(~content[0], load(address, 1)[0]);
            assertEquals(0, Syscalls.munmap(address, MAPPED));
            assertEquals(0, Syscalls.munmap(second, MAPPED));
        }
    }

    @Test
    void shouldReadDirectlyWhatIsMappedToo() throws Exception {
        try (OwnedFd file = fixture.open(backend, Constants.O_RDWR)) {
            final long address = mapShared(file.fd(), Constants.PROT_READ);
            assertArrayEquals(Arrays.copyOf(content, 100), load(address, 100));
            fixture.run(() -> backend.memory.buffer().putByte(0, (byte) ~content[0]));
            assertEquals(~content[0], client.bytes(file.fd(), 0, 1)[0]);
            // A write through the mount takes the page out of the mappings.
            assertEquals(1, client.pwrite(file.fd(), new byte[] {9}, 1));
            assertArrayEquals(new byte[] {(byte) ~content[0], 9}, load(address, 2));
            assertEquals(0, Syscalls.munmap(address, MAPPED));
        }
    }

    @Test
    void shouldWriteWhatWasStoredInASharedMapping() throws Exception {
        try (OwnedFd file = fixture.open(backend, Constants.O_RDWR)) {
            final long address = mapShared(file.fd(), Constants.PROT_READ | Constants.PROT_WRITE);
            store(address + 5, new byte[] {1, 2, 3});
            assertEquals(0, Syscalls.munmap(address, MAPPED));
        }
        assertTrue(backend.released.await(Fixture.TIMEOUT_SECONDS, TimeUnit.SECONDS));
        System.arraycopy(new byte[] {1, 2, 3}, 0, content, 5, 3);
        assertArrayEquals(content, backendBytes(0, LENGTH));
        assertEquals(LENGTH, backend.size);
    }

    @Test
    void shouldRefuseToAppendWhatWasStoredInASharedMapping() throws Exception {
        backend.appends = true;
        try (OwnedFd file = fixture.open(backend, Constants.O_RDWR | Constants.O_APPEND)) {
            final long address = mapShared(file.fd(), Constants.PROT_READ | Constants.PROT_WRITE);
            store(address + 5, new byte[] {1, 2, 3});
            assertEquals(0, Syscalls.munmap(address, MAPPED));
        }
        assertTrue(backend.released.await(Fixture.TIMEOUT_SECONDS, TimeUnit.SECONDS));
        assertEquals(LENGTH, backend.size);
        assertEquals(0, backend.writes.get());
    }

    @Test
    void shouldRefuseASharedMappingWithoutWriteAccess() throws Exception {
        try (OwnedFd file = fixture.open(backend, Constants.O_RDONLY)) {
            assertEquals(-Errno.EACCES, Syscalls.mmap(
                0, PAGE, Constants.PROT_READ | Constants.PROT_WRITE, Constants.MAP_SHARED, file.fd(), 0));
        }
    }

    private long mapShared(final int fd, final int protection) {
        final long address = Syscalls.mmap(0, MAPPED, protection, Constants.MAP_SHARED, fd, 0);
        assumeTrue(address != -Errno.ENODEV, "skipped: this kernel maps no direct I/O file as shared (before 6.6)");
        assertFalse(Errno.isError(address), () -> Errno.name((int) -address));
        return address;
    }

    private static long map(final int fd, final int protection, final int flags) {
        final long address = Syscalls.mmap(0, MAPPED, protection, flags, fd, 0);
        assertFalse(Errno.isError(address), () -> Errno.name((int) -address));
        return address;
    }

    private byte[] load(final long address, final int length) {
        final byte[] bytes = new byte[length];
        for (int i = 0; i < length; i += PAGE) {
            final int count = Math.min(PAGE, length - i);
            assertEquals(count, tryLoad(address + i, count));
            scratch.buffer().getBytes(0, bytes, i, count);
        }
        return bytes;
    }

    /** Has the kernel copy a page at most, by way of a pipe. */
    private long tryLoad(final long address, final int length) {
        return copy(address, length, scratch.address());
    }

    private void store(final long address, final byte[] bytes) {
        scratch.buffer().putBytes(0, bytes);
        assertEquals(bytes.length, copy(scratch.address(), bytes.length, address));
    }

    private long copy(final long from, final int length, final long to) {
        assertEquals(0, Syscalls.pipe2(scratch.address(PAGE, 8), Constants.O_CLOEXEC | Constants.O_NONBLOCK));
        try (OwnedFd readEnd = OwnedFd.of(scratch.buffer().getInt(PAGE));
            OwnedFd writeEnd = OwnedFd.of(scratch.buffer().getInt(PAGE + Integer.BYTES))) {
            final long written = Syscalls.write(writeEnd.fd(), from, length);
            return written < 0 ? written : Syscalls.read(readEnd.fd(), to, written);
        }
    }

    private byte[] backendBytes(final int offset, final int length) throws Exception {
        return fixture.onLoop(() -> {
            final byte[] bytes = new byte[length];
            backend.memory.buffer().getBytes(offset, bytes);
            return bytes;
        });
    }
}
