/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.testing;

import com.sun.jna.Function;
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
    /** An address of a private network. */
    private static final int ELSEWHERE = 0x0a000001;
    /** setsockopt(2) of SOL_SOCKET, and its bits for when a packet is sent; see linux/net_tstamp.h. */
    private static final int SO_TIMESTAMPING = 37;
    private static final int TX_SOFTWARE = 1 << 1;
    private static final int SOFTWARE = 1 << 4;
    private static final int CLONE_NEWNET = 0x40000000;
    /** Requests of ioctl(2) about a network interface, and their argument; see netdevice(7). */
    private static final int SIOCGIFFLAGS = 0x8913;
    private static final int SIOCSIFFLAGS = 0x8914;
    private static final int SIOCSIFADDR = 0x8916;
    private static final int IFREQ_LENGTH = 40;
    private static final int INTERFACE_NAME_LENGTH = 16;
    private static final int IFF_UP = 1;

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

    /** As {@link #datagramPair}, in a network namespace of their own; null where this process may not have one. */
    public static Endpoint[] datagramPairInOwnNetwork() {
        return Background.join(Background.start(() -> {
            // Of this thread alone, which ends here. The sockets keep it.
            if (Function.getFunction("c", "unshare").invokeInt(new Object[] {CLONE_NEWNET}) != 0) {
                return null;
            }
            try (Endpoint any = socket(Constants.SOCK_DGRAM)) {
                switchOn(any);
                return datagramPair();
            }
        }));
    }

    /** Removes the way to where the sockets of a pair in their own network are bound, or brings it back. */
    public static void setReachable(final Endpoint socket, final boolean reachable) {
        try (Memory request = loopbackRequest()) {
            request.buffer().putShort(INTERFACE_NAME_LENGTH, (short) AF_INET);
            request.buffer().putInt(INTERFACE_NAME_LENGTH + Integer.BYTES, reachable ? LOOPBACK : ELSEWHERE,
                ByteOrder.BIG_ENDIAN);
            PosixException.check(Syscalls.ioctl(socket.fd(), SIOCSIFADDR, request.address()), "SIOCSIFADDR");
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

    /** The loopback interface, which has no address before. */
    private static void switchOn(final Endpoint socket) {
        try (Memory request = loopbackRequest()) {
            PosixException.check(Syscalls.ioctl(socket.fd(), SIOCGIFFLAGS, request.address()), "SIOCGIFFLAGS");
            final int flags = request.buffer().getShort(INTERFACE_NAME_LENGTH) | IFF_UP;
            request.buffer().putShort(INTERFACE_NAME_LENGTH, (short) flags);
            PosixException.check(Syscalls.ioctl(socket.fd(), SIOCSIFFLAGS, request.address()), "SIOCSIFFLAGS");
        }
    }

    /** A struct ifreq with the interface's name. */
    private static Memory loopbackRequest() {
        final Memory request = Memory.allocate(IFREQ_LENGTH);
        request.buffer().setMemory(0, IFREQ_LENGTH, (byte) 0);
        request.buffer().putStringWithoutLengthAscii(0, "lo");
        return request;
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
