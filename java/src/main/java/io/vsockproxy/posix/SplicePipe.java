/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.posix;

import org.agrona.DirectBuffer;

/**
 * A pipe of this process's own, through which bytes go from a socket to another descriptor without being read:
 * splice(2) has the kernel hand its pages on where it can, and copy them once where it cannot.
 *
 * <p>Owns both ends. One thread.
 */
public final class SplicePipe implements AutoCloseable {
    /** What one holds that takes whatever a link brings, in bytes. */
    public static final int INBOUND_CAPACITY = 1 << 20;

    /**
     * What one holds that takes what an application has written. It is full of 64 pieces already, as every pipe of a
     * capacity is of so many pages: so if it does not take what is there, that lies in pieces of less than 4 KiB, and
     * copying it would have been cheaper.
     */
    public static final int OUTBOUND_CAPACITY = 1 << 18;

    /** How many descriptors one is. */
    public static final int DESCRIPTOR_COUNT = 2;

    private static final int PIECE_LENGTH = 64 * 1024;

    private final OwnedFd readEnd;
    private final OwnedFd writeEnd;
    /** What is read from the pipe after all. Only address space until then. */
    private final Memory piece = Memory.allocate(PIECE_LENGTH);
    private int length;

    private SplicePipe(final OwnedFd readEnd, final OwnedFd writeEnd) {
        this.readEnd = readEnd;
        this.writeEnd = writeEnd;
    }

    /**
     * A new one, which is the caller's; null when there are too few descriptors left for it.
     *
     * @param capacity what it is to hold, in bytes; the kernel may allow less (fs.pipe-max-size,
     *                 fs.pipe-user-pages-soft).
     */
    public static SplicePipe open(final int capacity, final DescriptorReserve reserve) {
        try (Memory pair = Memory.allocate(2 * Integer.BYTES)) {
            if (Syscalls.pipe2(pair.address(), Constants.O_CLOEXEC | Constants.O_NONBLOCK) < 0) {
                return null;
            }
            final OwnedFd readEnd = OwnedFd.of(pair.buffer().getInt(0));
            final OwnedFd writeEnd = OwnedFd.of(pair.buffer().getInt(Integer.BYTES));
            if (reserve.isSpare(readEnd.fd()) || reserve.isSpare(writeEnd.fd())) {
                readEnd.close();
                writeEnd.close();
                return null;
            }
            Syscalls.fcntl(writeEnd.fd(), Constants.F_SETPIPE_SZ, capacity);
            return new SplicePipe(readEnd, writeEnd);
        }
    }

    /** How many bytes are in it. */
    public int length() {
        return length;
    }

    /**
     * Takes what {@code fd}, a socket, has to give.
     *
     * @param fd      O_NONBLOCK.
     * @param maximum bytes.
     * @return how many bytes; 0 at the end; or {@code -errno}: EAGAIN when there is nothing, or no room for it.
     */
    public int fill(final int fd, final int maximum) {
        final int moved = (int) Syscalls.splice(fd, writeEnd.fd(), maximum, Constants.SPLICE_F_NONBLOCK);
        length += Math.max(0, moved);
        return moved;
    }

    /** Puts {@code count} bytes at {@code address} into it, while it is nearly empty: at most a page. */
    public void write(final long address, final int count) {
        final int written = (int) Syscalls.write(writeEnd.fd(), address, count);
        if (written != count) {
            throw new PosixException("write " + count + " bytes to a pipe of " + length, Math.max(0, -written));
        }
        length += count;
    }

    /**
     * Gives what {@code fd} takes of it.
     *
     * @param fd O_NONBLOCK; /dev/fuse takes an answer as a whole or not at all.
     * @return how many bytes, maybe 0; or {@code -errno}, EAGAIN excepted. After that the pipe may have lost what was
     *     to be given, and has to be {@linkplain #discard discarded}.
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

    /** Reads the next bytes into {@link #piece}: how many, more than 0 while {@link #length} is. */
    public int read() {
        final int count = (int) Syscalls.read(readEnd.fd(), piece.address(), Math.min(length, PIECE_LENGTH));
        if (count <= 0) {
            throw new PosixException("read " + length + " bytes from a pipe that has them", -count);
        }
        length -= count;
        return count;
    }

    /** What {@link #read} has read, from index 0 on. */
    public DirectBuffer piece() {
        return piece.buffer();
    }

    /** Drops what is in it, which after an error of {@link #drainTo} may be less than {@link #length} says. */
    public void discard() {
        while (Syscalls.read(readEnd.fd(), piece.address(), PIECE_LENGTH) > 0) {
            // Into the void.
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
