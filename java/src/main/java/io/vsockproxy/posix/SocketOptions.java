/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.posix;

/**
 * Socket options with an {@code int} value, through memory of its own. One thread.
 */
public final class SocketOptions implements AutoCloseable {
    /** In bytes, what the kernel needs for a packet besides its bytes; more than enough. */
    private static final int PACKET_OVERHEAD = 4096;
    private static final int VALUE_OFFSET = 0;
    private static final int LENGTH_OFFSET = Long.BYTES;

    private final Memory memory = Memory.allocate(2 * Long.BYTES);

    /**
     * getsockopt(2) of SOL_SOCKET.
     *
     * @return the value, or {@code -errno}: ENOTSOCK when {@code fd} is not a socket. (None of the options used here is
     *     negative.)
     */
    public int get(final int fd, final int name) {
        memory.buffer().putInt(LENGTH_OFFSET, Integer.BYTES);
        final int result = Syscalls.getsockopt(
            fd, Constants.SOL_SOCKET, name, memory.address() + VALUE_OFFSET, memory.address() + LENGTH_OFFSET);
        return result < 0 ? result : memory.buffer().getInt(VALUE_OFFSET);
    }

    /** setsockopt(2) of SOL_SOCKET: 0 or {@code -errno}. */
    public int set(final int fd, final int name, final int value) {
        memory.buffer().putInt(VALUE_OFFSET, value);
        return Syscalls.setsockopt(
            fd, Constants.SOL_SOCKET, name, memory.address() + VALUE_OFFSET, Integer.BYTES);
    }

    /**
     * Raises SO_SNDBUF so that a packet of {@code length} bytes can be sent.
     *
     * @return whether it was raised at all: the kernel limits it to net.core.wmem_max.
     */
    public static boolean raiseSendBuffer(final int fd, final int length) {
        try (SocketOptions options = new SocketOptions()) {
            final int before = options.get(fd, Constants.SO_SNDBUF);
            final int wanted = length + PACKET_OVERHEAD;
            // The kernel doubles what it is given, for its own overhead.
            if (before >= 2 * wanted) {
                return false;
            }
            options.set(fd, Constants.SO_SNDBUF, wanted);
            return options.get(fd, Constants.SO_SNDBUF) > before;
        }
    }

    @Override
    public void close() {
        memory.close();
    }
}
