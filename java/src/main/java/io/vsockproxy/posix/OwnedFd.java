/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.posix;

import java.nio.file.Path;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * Owns one descriptor and closes it exactly once, from whichever thread comes first.
 *
 * <p>Once closed or released it throws rather than show its old number, which the kernel gives out again at once. It
 * does not stop a thread from closing while another still uses a number that it borrowed: that is the owner's affair.
 * Nothing closes what is forgotten: there is no finaliser.
 */
public final class OwnedFd implements AutoCloseable {
    private static final int GONE = -1;

    private final AtomicInteger descriptor;

    private OwnedFd(final int fd) {
        descriptor = new AtomicInteger(fd);
    }

    /**
     * Takes ownership of {@code fd}.
     *
     * @throws IllegalArgumentException when it is negative: an error that was not looked at.
     */
    public static OwnedFd of(final int fd) {
        if (fd < 0) {
            throw new IllegalArgumentException("not a descriptor: " + fd);
        }
        return new OwnedFd(fd);
    }

    /**
     * open(2) of something that exists, close-on-exec.
     *
     * @param flags as {@link Constants#O_RDWR}.
     * @throws PosixException when the kernel refuses: ENOENT, EACCES.
     */
    public static OwnedFd open(final Path path, final int flags) {
        return new OwnedFd(PosixException.check(
            Paths.open(path.toString(), flags | Constants.O_CLOEXEC), "open " + path));
    }

    /**
     * Borrows the number; it stays this object's to close.
     *
     * @throws IllegalStateException when closed or released.
     */
    public int fd() {
        return present(descriptor.get());
    }

    /** Whether there is a descriptor to borrow. */
    public boolean isOpen() {
        return descriptor.get() != GONE;
    }

    /**
     * A second descriptor of the same open file description, close-on-exec, with an owner of its own.
     *
     * @throws IllegalStateException when closed or released.
     * @throws PosixException        when the kernel refuses: EMFILE.
     */
    public OwnedFd duplicate() {
        final int fd = fd();
        return new OwnedFd(PosixException.check(
            Syscalls.fcntl(fd, Constants.F_DUPFD_CLOEXEC, 0), "duplicate descriptor " + fd));
    }

    /**
     * Hands the descriptor, and the duty to close it, to the caller.
     *
     * @throws IllegalStateException when closed or released before.
     */
    public int release() {
        return present(descriptor.getAndSet(GONE));
    }

    /** Closes the descriptor, if it is still here. */
    @Override
    public void close() {
        final int fd = descriptor.getAndSet(GONE);
        if (fd != GONE) {
            Syscalls.close(fd);
        }
    }

    @Override
    public String toString() {
        final int fd = descriptor.get();
        return fd == GONE ? "OwnedFd(gone)" : "OwnedFd(" + fd + ")";
    }

    private static int present(final int fd) {
        if (fd == GONE) {
            throw new IllegalStateException("the descriptor is closed or released");
        }
        return fd;
    }
}
