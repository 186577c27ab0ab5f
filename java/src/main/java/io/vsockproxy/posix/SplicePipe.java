/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.posix;

import org.agrona.DirectBuffer;

/**
 * A private pipe through which bytes go from a socket to another descriptor without being read: with splice(2) the
 * kernel moves the pages where it can, and copies them once where it cannot.
 *
 * <p>Owns both ends. One thread.
 */
public final class SplicePipe implements AutoCloseable {
    /** The capacity, in bytes, of a pipe for what arrives on a link. */
    public static final int INBOUND_CAPACITY = 1 << 20;

    /**
     * The capacity, in bytes, of a pipe for what an application has written. A pipe of this capacity has 64 slots, one
     * for each page, and a piece of any length takes one, as does a header. So when it is full before it has taken all
     * bytes, the pieces are hardly more than 4 KiB long on average, and copying them would have been cheaper.
     */
    public static final int OUTBOUND_CAPACITY = 1 << 18;

    /** How many descriptors a pipe takes. */
    public static final int DESCRIPTOR_COUNT = 2;

    private static final int PIECE_LENGTH = 64 * 1024;

    private final OwnedFd readEnd;
    private final OwnedFd writeEnd;
    /** For bytes that have to be read from the pipe after all. Takes no memory until then. */
    private final Memory piece = Memory.allocate(PIECE_LENGTH);
    private int length;

    private SplicePipe(final OwnedFd readEnd, final OwnedFd writeEnd) {
        this.readEnd = readEnd;
        this.writeEnd = writeEnd;
    }

    /**
     * Opens a pipe, which the caller owns; null when too few descriptors are left.
     *
     * @param capacity how many bytes it should hold; the kernel may allow less (fs.pipe-max-size,
     *                 fs.pipe-user-pages-soft).
     */
    public static SplicePipe open(final int capacity, final DescriptorReserve reserve) {
        try (DescriptorPair pair = new DescriptorPair()) {
            if (pair.pipe(Constants.O_NONBLOCK) < 0 || pair.keep(reserve) < 0) {
                return null;
            }
            Syscalls.fcntl(pair.second(), Constants.F_SETPIPE_SZ, capacity);
            return new SplicePipe(OwnedFd.of(pair.first()), OwnedFd.of(pair.second()));
        }
    }

    /** How many bytes are in the pipe. */
    public int length() {
        return length;
    }

    /**
     * Moves bytes from a socket into the pipe.
     *
     * @param fd      the socket, which must be O_NONBLOCK.
     * @param maximum the most bytes to move.
     * @return how many bytes were moved; 0 at the end of the stream; or {@code -errno}, which is EAGAIN when there is
     *     nothing to take or no room for it.
     */
    public int fill(final int fd, final int maximum) {
        final int moved = (int) Syscalls.splice(fd, writeEnd.fd(), maximum, Constants.SPLICE_F_NONBLOCK);
        length += Math.max(0, moved);
        return moved;
    }

    /**
     * Writes {@code count} bytes at {@code address} into the pipe.
     *
     * @return false when it has no room (EAGAIN) or there is no memory (ENOMEM): only some of them, or none, are then
     *     in the pipe, as {@link #length} says.
     */
    public boolean write(final long address, final int count) {
        final int written = (int) Syscalls.write(writeEnd.fd(), address, count);
        length += Math.max(0, written);
        return written == count;
    }

    /**
     * Moves bytes from the pipe to {@code fd}, as many as that takes.
     *
     * @param fd where to; must be O_NONBLOCK. (/dev/fuse takes an answer as a whole or not at all.)
     * @return how many bytes were moved, 0 for EAGAIN; or another {@code -errno}. After an error the pipe may have lost
     *     the bytes in question, and its contents must be {@linkplain #discard discarded}.
     */
    public int drainTo(final int fd) {
        int taken = 0;
        while (length > 0) {
            final int moved = (int) Syscalls.splice(readEnd.fd(), fd, length, Constants.SPLICE_F_NONBLOCK);
            if (moved <= 0) {
                return taken > 0 || moved == -Errno.EAGAIN ? taken : moved;
            }
            length -= moved;
            taken += moved;
        }
        return taken;
    }

    /**
     * Reads the next bytes into {@link #piece}. Returns how many, which is more than 0 as long as {@link #length} is.
     */
    public int read() {
        final int count = (int) Syscalls.read(readEnd.fd(), piece.address(), Math.min(length, PIECE_LENGTH));
        if (count <= 0) {
            throw new PosixException("read " + length + " bytes from a pipe that has them", -count);
        }
        length -= count;
        return count;
    }

    /** Drops the first {@code count} bytes, at most 64 KiB, which must be there; without a call when it is 0. */
    public void skip(final int count) {
        if (count == 0) {
            return;
        }
        final int skipped = (int) Syscalls.read(readEnd.fd(), piece.address(), count);
        if (skipped != count) {
            throw new PosixException("read " + count + " of " + length + " bytes from a pipe", Math.max(0, -skipped));
        }
        length -= count;
    }

    /** The bytes that {@link #read} has read, from index 0 on. */
    public DirectBuffer piece() {
        return piece.buffer();
    }

    /** Empties the pipe. After an error of {@link #drainTo} it may contain less than {@link #length} says. */
    public void discard() {
        while (length > 0 && Syscalls.read(readEnd.fd(), piece.address(), PIECE_LENGTH) > 0) {
            // The bytes are not wanted.
        }
        length = 0;
    }

    @Override
    public void close() {
        readEnd.close();
        writeEnd.close();
        piece.close();
    }
}
