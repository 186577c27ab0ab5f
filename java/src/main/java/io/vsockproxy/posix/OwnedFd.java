/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.posix;

import java.nio.file.OpenOption;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Set;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * Owns one descriptor and closes it exactly once, whichever threads call {@link #close}.
 *
 * <p>Once closed or released it throws rather than return its old number, which the kernel reuses at once. It does not
 * keep one thread from closing the descriptor while another still uses the number it borrowed: the owner must see to
 * that. There is no finaliser: an object that is dropped without being closed leaks its descriptor.
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
     * @throws IllegalArgumentException when it is negative, as an unchecked error would be.
     */
    public static OwnedFd of(final int fd) {
        if (fd < 0) {
            throw new IllegalArgumentException("not a descriptor: " + fd);
        }
        return new OwnedFd(fd);
    }

    /**
     * Opens an existing file with open(2), close-on-exec. May block as that does: opening a FIFO waits for the other
     * end.
     *
     * @param options any of {@link StandardOpenOption} READ, WRITE, APPEND and TRUNCATE_EXISTING; READ if there are
     *                none.
     * @throws IllegalArgumentException when there is another option.
     * @throws PosixException           when the kernel refuses: ENOENT, EACCES.
     */
    public static OwnedFd open(final Path path, final OpenOption... options) {
        return new OwnedFd(PosixException.check(
            Paths.open(path.toString(), flags(Set.of(options)) | Constants.O_CLOEXEC), "open " + path));
    }

    /**
     * The descriptor's number, borrowed: this object still owns it.
     *
     * @throws IllegalStateException when closed or released.
     */
    public int fd() {
        return present(descriptor.get());
    }

    /** Whether it has been neither closed nor released. */
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
     * Passes ownership of the descriptor to the caller.
     *
     * @throws IllegalStateException when closed or released before.
     */
    public int release() {
        return present(descriptor.getAndSet(GONE));
    }

    /** Closes the descriptor, unless it has been closed or released. Idempotent. */
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

    private static int flags(final Set<OpenOption> options) {
        int others = options.size();
        int flags = 0;
        if (options.contains(StandardOpenOption.APPEND)) {
            flags |= Constants.O_APPEND;
            others--;
        }
        if (options.contains(StandardOpenOption.TRUNCATE_EXISTING)) {
            flags |= Constants.O_TRUNC;
            others--;
        }
        final boolean writes = options.contains(StandardOpenOption.WRITE);
        final boolean reads = options.contains(StandardOpenOption.READ);
        others -= (writes ? 1 : 0) + (reads ? 1 : 0);
        if (others > 0) {
            throw new IllegalArgumentException("open options " + options + ": only READ, WRITE, APPEND and "
                + "TRUNCATE_EXISTING apply to an existing file");
        }
        if (writes || flags != 0) {
            return flags | (reads ? Constants.O_RDWR : Constants.O_WRONLY);
        }
        return Constants.O_RDONLY;
    }

    private static int present(final int fd) {
        if (fd == GONE) {
            throw new IllegalStateException("the descriptor is closed or released");
        }
        return fd;
    }
}
