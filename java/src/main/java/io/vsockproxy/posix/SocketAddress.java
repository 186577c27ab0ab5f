/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.posix;

import java.nio.charset.StandardCharsets;

/**
 * A {@code struct sockaddr_un} or {@code struct sockaddr_vm} in memory, for bind(2) and connect(2).
 */
public final class SocketAddress implements AutoCloseable {
    /** The longest path of a unix socket, in bytes, without its NUL. */
    public static final int MAX_PATH_LENGTH =
        Constants.SIZEOF_SOCKADDR_UN - Constants.SOCKADDR_UN_PATH_OFFSET - 1;

    /** Stands for the NUL in front of an abstract name, as in ss(8) and systemd. */
    static final char ABSTRACT = '@';

    private final Memory memory;
    private final int length;
    private final String path;

    private SocketAddress(final String path, final int length) {
        this.path = path;
        this.length = length;
        memory = Memory.allocate(length);
    }

    /**
     * Checks the path of a unix socket, or an @ followed by its abstract name.
     *
     * @return its bytes in UTF-8.
     * @throws IllegalArgumentException when it is empty, contains a NUL, has no name after the @, or is longer than
     *                                  {@link #MAX_PATH_LENGTH}.
     */
    public static byte[] checkPath(final String path) {
        final byte[] bytes = path.getBytes(StandardCharsets.UTF_8);
        if (bytes.length == 0 || bytes.length > MAX_PATH_LENGTH || path.indexOf('\0') >= 0) {
            throw new IllegalArgumentException("unix socket path '" + path + "' has " + bytes.length
                + " bytes; it must have 1 to " + MAX_PATH_LENGTH + ", none of them NUL");
        }
        if (path.equals("@")) {
            throw new IllegalArgumentException("unix socket path '@' has no abstract name behind the @");
        }
        return bytes;
    }

    /** Whether {@code path} is a name in the abstract namespace rather than a path in the file system. */
    public static boolean isAbstract(final String path) {
        return path.charAt(0) == ABSTRACT;
    }

    /**
     * The address of a unix socket: a path in the file system or, after an @, a name in the abstract namespace
     * (unix(7)). The caller must close it.
     *
     * @throws IllegalArgumentException as {@link #checkPath}.
     */
    public static SocketAddress unix(final String path) {
        final byte[] bytes = checkPath(path);
        // A path is terminated by the NULs that fill the rest of its 108 bytes. An abstract name ends with the address:
        // a NUL at its end would be part of the name.
        final boolean isAbstract = isAbstract(path);
        final SocketAddress address = new SocketAddress(
            path, isAbstract ? Constants.SOCKADDR_UN_PATH_OFFSET + bytes.length : Constants.SIZEOF_SOCKADDR_UN);
        address.memory.buffer().putShort(Constants.SOCKADDR_UN_FAMILY_OFFSET, (short) Constants.AF_UNIX);
        address.memory.buffer().putBytes(Constants.SOCKADDR_UN_PATH_OFFSET, bytes);
        if (isAbstract) {
            address.memory.buffer().putByte(Constants.SOCKADDR_UN_PATH_OFFSET, (byte) 0);
        }
        return address;
    }

    /**
     * The address of an AF_VSOCK socket. The caller must close it.
     *
     * @param cid  context identifier, unsigned; VMADDR_CID_ANY to bind to any.
     * @param port unsigned.
     */
    public static SocketAddress vsock(final int cid, final int port) {
        final SocketAddress address = new SocketAddress(null, Constants.SIZEOF_SOCKADDR_VM);
        address.memory.buffer().putShort(Constants.SOCKADDR_VM_FAMILY_OFFSET, (short) Constants.AF_VSOCK);
        address.memory.buffer().putInt(Constants.SOCKADDR_VM_CID_OFFSET, cid);
        address.memory.buffer().putInt(Constants.SOCKADDR_VM_PORT_OFFSET, port);
        return address;
    }

    /** The path of a unix socket, or an @ followed by its abstract name; null for other addresses. */
    public String path() {
        return path;
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
