/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.posix;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Files;
import java.nio.file.OpenOption;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(value = 20, unit = TimeUnit.SECONDS)
class OwnedFdTest {
    private static final int FD_CLOEXEC = 1;
    private static final int CLOSERS = 4;
    private static final int ROUNDS = 50;

    private int descriptorsBefore;

    @BeforeEach
    void countDescriptors() {
        assertFalse(isOpen(-1));
        descriptorsBefore = Descriptors.count();
    }

    @AfterEach
    void compareDescriptors() throws InterruptedException {
        Descriptors.assertCount(descriptorsBefore);
    }

    @Test
    void shouldCloseWhatItOwns() {
        final OwnedFd owned = OwnedFd.of(open());
        final int fd = owned.fd();
        assertTrue(owned.isOpen());
        assertTrue(isOpen(fd));
        owned.close();
        assertFalse(owned.isOpen());
        assertFalse(isOpen(fd));
    }

    @Test
    void shouldThrowRatherThanShowANumberThatIsClosed() {
        final OwnedFd owned = OwnedFd.of(open());
        owned.close();
        assertThrows(IllegalStateException.class, owned::fd);
        assertThrows(IllegalStateException.class, owned::release);
        assertThrows(IllegalStateException.class, owned::duplicate);
        assertEquals("OwnedFd(gone)", owned.toString());
    }

    @Test
    void shouldNotCloseANumberThatWasGivenOutAgain() {
        final OwnedFd owned = OwnedFd.of(open());
        final int fd = owned.fd();
        owned.close();
        final int other = PosixException.check(Syscalls.fcntl(0, Constants.F_DUPFD_CLOEXEC, fd), "duplicate");
        owned.close();
        assertTrue(isOpen(other));
        assertEquals(0, Syscalls.close(other));
    }

    @Test
    void shouldLeaveAReleasedDescriptorToItsReceiver() {
        final OwnedFd owned = OwnedFd.of(open());
        final int fd = owned.release();
        owned.close();
        assertTrue(isOpen(fd));
        assertThrows(IllegalStateException.class, owned::fd);
        assertEquals(0, Syscalls.close(fd));
    }

    @Test
    void shouldOwnADuplicateSeparately() {
        final OwnedFd owned = OwnedFd.of(open());
        final OwnedFd duplicate = owned.duplicate();
        assertNotEquals(owned.fd(), duplicate.fd());
        assertEquals(FD_CLOEXEC, Syscalls.fcntl(duplicate.fd(), Constants.F_GETFD, 0));
        owned.close();
        assertTrue(isOpen(duplicate.fd()));
        duplicate.close();
    }

    @Test
    void shouldOpenForWhatTheOptionsSay(@TempDir final Path directory) throws Exception {
        final Path file = Files.writeString(directory.resolve("file"), "text");
        assertEquals(Constants.O_RDONLY, flagsOf(file));
        assertEquals(Constants.O_RDONLY, flagsOf(file, StandardOpenOption.READ));
        assertEquals(Constants.O_WRONLY, flagsOf(file, StandardOpenOption.WRITE));
        assertEquals(Constants.O_RDWR, flagsOf(file, StandardOpenOption.READ, StandardOpenOption.WRITE));
        assertEquals(Constants.O_WRONLY | Constants.O_APPEND, flagsOf(file, StandardOpenOption.APPEND));
        assertEquals(4, Files.size(file));
        assertEquals(Constants.O_WRONLY, flagsOf(file, StandardOpenOption.TRUNCATE_EXISTING));
        assertEquals(0, Files.size(file));
        assertThrows(IllegalArgumentException.class, () -> OwnedFd.open(file, StandardOpenOption.CREATE));
        final PosixException absent = assertThrows(PosixException.class, () -> OwnedFd.open(directory.resolve("none")));
        assertEquals(Errno.ENOENT, absent.errno());
    }

    @Test
    void shouldRefuseAnErrorAsADescriptor() {
        assertThrows(IllegalArgumentException.class, () -> OwnedFd.of(-Errno.EMFILE));
    }

    @Test
    void shouldCloseOnceWhenSeveralThreadsDo() throws Exception {
        for (int round = 0; round < ROUNDS; round++) {
            final OwnedFd owned = OwnedFd.of(open());
            final CyclicBarrier barrier = new CyclicBarrier(CLOSERS);
            final Thread[] threads = new Thread[CLOSERS];
            final int[] replacements = new int[CLOSERS];
            for (int i = 0; i < CLOSERS; i++) {
                final int index = i;
                threads[i] = new Thread(() -> {
                    try {
                        barrier.await(5, TimeUnit.SECONDS);
                    } catch (final Exception e) {
                        throw new IllegalStateException(e);
                    }
                    owned.close();
                    // Takes the freed number at once, so that a second close would close this one.
                    replacements[index] = open();
                });
                threads[i].start();
            }
            for (final Thread thread : threads) {
                thread.join();
            }
            for (final int replacement : replacements) {
                assertEquals(0, Syscalls.close(replacement));
            }
        }
    }

    private static int flagsOf(final Path file, final OpenOption... options) {
        try (OwnedFd opened = OwnedFd.open(file, options)) {
            final int flags = Syscalls.fcntl(opened.fd(), Constants.F_GETFL, 0);
            return flags & (Constants.O_ACCMODE | Constants.O_APPEND);
        }
    }

    private static int open() {
        return PosixException.check(Syscalls.eventfd(0, Constants.EFD_CLOEXEC), "eventfd");
    }

    private static boolean isOpen(final int fd) {
        return Syscalls.fcntl(fd, Constants.F_GETFD, 0) >= 0;
    }
}
