/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.posix;

import java.nio.charset.StandardCharsets;
import org.agrona.DirectBuffer;
import org.agrona.concurrent.UnsafeBuffer;

/**
 * A {@code struct sockaddr_un} or {@code struct sockaddr_vm} in memory, for bind(2) and connect(2).
 */
public final class SocketAddress implements AutoCloseable {
    /** Longest path of a unix socket in bytes, its NUL left out. */
    public static final int MAX_PATH_LENGTH =
        Constants.SIZEOF_SOCKADDR_UN - Constants.SOCKADDR_UN_PATH_OFFSET - 1;

    private final Memory memory;
    private final int length;

    private SocketAddress(final int length) {
        this.length = length;
        memory = Memory.allocate(length);
    }

    /**
     * Checks the path of a unix socket.
     *
     * @return its bytes.
     * @throws IllegalArgumentException when it is empty, has a NUL or is longer than {@link #MAX_PATH_LENGTH}.
     */
    public static byte[] checkPath(final String path) {
        final byte[] bytes = path.getBytes(StandardCharsets.UTF_8);
        if (bytes.length == 0 || bytes.length > MAX_PATH_LENGTH || path.indexOf('\0') >= 0) {
            throw new IllegalArgumentException("unix socket path '" + path + "' has " + bytes.length
                + " bytes; it must have 1 to " + MAX_PATH_LENGTH + ", none of them NUL");
        }
        return bytes;
    }

    /**
     * The address of a unix socket in the file system.
     *
     * @throws IllegalArgumentException when the path is empty, has a NUL or is longer than {@link #MAX_PATH_LENGTH}.
     */
    public static SocketAddress unix(final String path) {
        final byte[] bytes = path.getBytes(StandardCharsets.UTF_8);
        return unix(new UnsafeBuffer(bytes), 0, bytes.length);
    }

    /** The same from bytes. */
    public static SocketAddress unix(final DirectBuffer path, final int offset, final int pathLength) {
        if (pathLength == 0 || pathLength > MAX_PATH_LENGTH) {
            throw new IllegalArgumentException(
                "unix socket path of " + pathLength + " bytes, at least 1 and at most " + MAX_PATH_LENGTH);
        }
        for (int i = 0; i < pathLength; i++) {
            if (path.getByte(offset + i) == 0) {
                throw new IllegalArgumentException("unix socket path with a NUL at byte " + i);
            }
        }
        final SocketAddress address = new SocketAddress(Constants.SIZEOF_SOCKADDR_UN);
        address.memory.buffer().putShort(Constants.SOCKADDR_UN_FAMILY_OFFSET, (short) Constants.AF_UNIX);
        address.memory.buffer().putBytes(Constants.SOCKADDR_UN_PATH_OFFSET, path, offset, pathLength);
        return address;
    }

    /**
     * The address of a unix socket in the abstract namespace (unix(7)).
     *
     * @param name without the NUL in front of it.
     * @throws IllegalArgumentException when the name is longer than {@link #MAX_PATH_LENGTH}.
     */
    public static SocketAddress unixAbstract(final String name) {
        final byte[] bytes = name.getBytes(StandardCharsets.UTF_8);
        if (bytes.length > MAX_PATH_LENGTH) {
            throw new IllegalArgumentException(
                "abstract unix socket name of " + bytes.length + " bytes, at most " + MAX_PATH_LENGTH);
        }
        // Its length ends it: a NUL at the end would be part of the name.
        final SocketAddress address = new SocketAddress(Constants.SOCKADDR_UN_PATH_OFFSET + 1 + bytes.length);
        address.memory.buffer().putShort(Constants.SOCKADDR_UN_FAMILY_OFFSET, (short) Constants.AF_UNIX);
        address.memory.buffer().putBytes(Constants.SOCKADDR_UN_PATH_OFFSET + 1, bytes);
        return address;
    }

    /**
     * The address of an AF_VSOCK socket.
     *
     * @param cid  context identifier, unsigned; VMADDR_CID_ANY to bind to any.
     * @param port unsigned.
     */
    public static SocketAddress vsock(final int cid, final int port) {
        final SocketAddress address = new SocketAddress(Constants.SIZEOF_SOCKADDR_VM);
        address.memory.buffer().putShort(Constants.SOCKADDR_VM_FAMILY_OFFSET, (short) Constants.AF_VSOCK);
        address.memory.buffer().putInt(Constants.SOCKADDR_VM_CID_OFFSET, cid);
        address.memory.buffer().putInt(Constants.SOCKADDR_VM_PORT_OFFSET, port);
        return address;
    }

    /** connect(2): 0 or {@code -errno}. */
    public int connect(final int fd) {
        return Syscalls.connect(fd, memory.address(), length);
    }

    /** bind(2): 0 or {@code -errno}. */
    public int bind(final int fd) {
        return Syscalls.bind(fd, memory.address(), length);
    }

    @Override
    public void close() {
        memory.close();
    }
}
