/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.testing;

import io.vsockproxy.posix.Constants;
import io.vsockproxy.posix.Memory;
import io.vsockproxy.posix.PosixException;
import io.vsockproxy.posix.SocketOptions;
import io.vsockproxy.posix.Syscalls;
import java.nio.ByteOrder;

/**
 * Sockets of the internet family on the loopback interface.
 */
public final class InetSockets {
    private static final int AF_INET = 2;
    private static final int ADDRESS_LENGTH = 16;
    private static final int LOOPBACK = 0x7f000001;
    /** setsockopt(2) of SOL_SOCKET, and its bits for when a packet is sent; see linux/net_tstamp.h. */
    private static final int SO_TIMESTAMPING = 37;
    private static final int TX_SOFTWARE = 1 << 1;
    private static final int SOFTWARE = 1 << 4;

    private InetSockets() {
    }

    /** Two UDP sockets that are connected to each other. */
    public static Endpoint[] datagramPair() {
        try (Memory first = Memory.allocate(ADDRESS_LENGTH); Memory second = Memory.allocate(ADDRESS_LENGTH)) {
            final Endpoint[] pair = {bound(Constants.SOCK_DGRAM, first), bound(Constants.SOCK_DGRAM, second)};
            connect(pair[0], second);
            connect(pair[1], first);
            return pair;
        }
    }

    /** Both ends of a TCP connection. */
    public static Endpoint[] streamPair() {
        try (Memory address = Memory.allocate(ADDRESS_LENGTH);
            Endpoint listening = bound(Constants.SOCK_STREAM, address)) {
            PosixException.check(Syscalls.listen(listening.fd(), 1), "listen");
            final Endpoint connected = socket(Constants.SOCK_STREAM);
            connect(connected, address);
            return new Endpoint[] {connected, listening.accept()};
        }
    }

    /** Closes {@code socket}, which is connected, and does something before there is another in its place. */
    public static Endpoint replaced(final Endpoint socket, final Runnable meanwhile) {
        try (Memory own = Memory.allocate(ADDRESS_LENGTH); Memory peer = Memory.allocate(ADDRESS_LENGTH);
            Memory length = Memory.allocate(Integer.BYTES)) {
            length.buffer().putInt(0, ADDRESS_LENGTH);
            PosixException.check(Syscalls.getsockname(socket.fd(), own.address(), length.address()), "getsockname");
            PosixException.check(Syscalls.getpeername(socket.fd(), peer.address(), length.address()), "getpeername");
            socket.close();
            meanwhile.run();
            final Endpoint another = socket(Constants.SOCK_DGRAM);
            PosixException.check(Syscalls.bind(another.fd(), own.address(), ADDRESS_LENGTH), "bind");
            connect(another, peer);
            return another;
        }
    }

    /** Has the kernel put a message into the error queue of {@code socket} for each packet that it sends. */
    public static void stampWhatIsSent(final Endpoint socket) {
        try (SocketOptions options = new SocketOptions()) {
            PosixException.check(
                options.set(socket.fd(), SO_TIMESTAMPING, TX_SOFTWARE | SOFTWARE), "SO_TIMESTAMPING");
        }
    }

    private static Endpoint socket(final int type) {
        return Endpoint.of(Syscalls.socket(AF_INET, type | Constants.SOCK_CLOEXEC, 0), "socket");
    }

    /** One that is bound to a port of the kernel's choice; {@code address} gets where. */
    private static Endpoint bound(final int type, final Memory address) {
        final Endpoint socket = socket(type);
        address.buffer().setMemory(0, ADDRESS_LENGTH, (byte) 0);
        address.buffer().putShort(0, (short) AF_INET);
        address.buffer().putInt(Integer.BYTES, LOOPBACK, ByteOrder.BIG_ENDIAN);
        PosixException.check(Syscalls.bind(socket.fd(), address.address(), ADDRESS_LENGTH), "bind");
        try (Memory length = Memory.allocate(Integer.BYTES)) {
            length.buffer().putInt(0, ADDRESS_LENGTH);
            PosixException.check(
                Syscalls.getsockname(socket.fd(), address.address(), length.address()), "getsockname");
        }
        return socket;
    }

    private static void connect(final Endpoint socket, final Memory address) {
        PosixException.check(Syscalls.connect(socket.fd(), address.address(), ADDRESS_LENGTH), "connect");
    }
}
