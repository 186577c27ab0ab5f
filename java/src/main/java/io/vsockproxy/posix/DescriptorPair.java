/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.posix;

/**
 * The two descriptors that pipe2(2) or socketpair(2) creates: room for their numbers, which can be used again for the
 * next pair. The caller owns the descriptors. One thread.
 */
public final class DescriptorPair implements AutoCloseable {
    private final Memory memory = Memory.allocate(2 * Integer.BYTES);

    /**
     * Creates a pipe: {@link #first} is its read end, {@link #second} its write end.
     *
     * @param flags of pipe2(2), to which O_CLOEXEC is added.
     * @return 0, or {@code -errno}.
     */
    public int pipe(final int flags) {
        return Syscalls.pipe2(memory.address(), flags | Constants.O_CLOEXEC);
    }

    /**
     * Creates two unix sockets that are connected to each other.
     *
     * @param type SOCK_STREAM, SOCK_DGRAM or SOCK_SEQPACKET, to which SOCK_CLOEXEC is added.
     * @return 0, or {@code -errno}.
     */
    public int socketPair(final int type) {
        return Syscalls.socketpair(Constants.AF_UNIX, type | Constants.SOCK_CLOEXEC, 0, memory.address());
    }

    /**
     * Closes both again if one of them is spare.
     *
     * @return 0, and the caller still owns them; or {@code -EMFILE}.
     */
    public int keep(final DescriptorReserve reserve) {
        if (reserve.isSpare(first()) || reserve.isSpare(second())) {
            Syscalls.close(first());
            Syscalls.close(second());
            return -Errno.EMFILE;
        }
        return 0;
    }

    /** The number of the first descriptor of the last pair. */
    public int first() {
        return memory.buffer().getInt(0);
    }

    /** The number of the second descriptor of the last pair. */
    public int second() {
        return memory.buffer().getInt(Integer.BYTES);
    }

    /** Frees the memory; the descriptors stay open. */
    @Override
    public void close() {
        memory.close();
    }
}
