/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.systemd;

import io.vsockproxy.posix.Constants;
import io.vsockproxy.posix.Memory;
import io.vsockproxy.posix.OwnedFd;
import io.vsockproxy.posix.PosixException;
import io.vsockproxy.posix.SocketAddress;
import io.vsockproxy.posix.Syscalls;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/**
 * The service manager that started this process: is told that the service is ready, alive or stopping, and is asked for
 * listening sockets. Without a manager, all of this does nothing. Source: sd_notify(3), sd_watchdog_enabled(3),
 * sd_listen_fds(3).
 *
 * <p>Methods may be called from any thread, and never wait for the manager: a message that it does not take at once is
 * dropped.
 */
public final class ServiceManager implements AutoCloseable {
    /** SD_LISTEN_FDS_START: the first of the descriptors handed over. */
    private static final int FIRST_DESCRIPTOR = 3;
    private static final int MAX_DESCRIPTORS = 1024;
    private static final int FLAGS = Constants.MSG_DONTWAIT | Constants.MSG_NOSIGNAL;

    private final OwnedFd socket;
    private final long watchdogNs;
    private final Memory keepAlive;

    private ServiceManager(final OwnedFd socket, final long watchdogNs) {
        this.socket = socket;
        this.watchdogNs = watchdogNs;
        // Prepared once: the loop sends it again and again, and must not allocate.
        keepAlive = memory("WATCHDOG=1");
    }

    /**
     * The manager that the environment names, or an object that does nothing when it names none. It must not be closed
     * before its last use on any thread; a process that tells its manager about itself until its end leaves it open.
     *
     * @param environment System.getenv().
     * @param pid         this process's id: variables that are meant for another process are ignored.
     * @throws IllegalArgumentException when NOTIFY_SOCKET, WATCHDOG_USEC or WATCHDOG_PID is malformed.
     * @throws PosixException           when its socket cannot be connected.
     */
    public static ServiceManager of(final Map<String, String> environment, final long pid) {
        final String path = environment.get("NOTIFY_SOCKET");
        if (path == null) {
            return new ServiceManager(null, 0);
        }
        final OwnedFd socket = OwnedFd.of(PosixException.check(
            Syscalls.socket(Constants.AF_UNIX, Constants.SOCK_DGRAM | Constants.SOCK_CLOEXEC, 0), "socket(AF_UNIX)"));
        try (SocketAddress address = SocketAddress.unix(path)) {
            PosixException.check(address.connect(socket.fd()), "connect to NOTIFY_SOCKET " + path);
            return new ServiceManager(socket, watchdogNs(environment, pid));
        } catch (final PosixException | IllegalArgumentException e) {
            socket.close();
            throw e;
        }
    }

    /**
     * The listening sockets that the manager has created for this process (socket activation), close-on-exec. The
     * caller owns them. To be called once: it closes the inherited numbers.
     *
     * @throws IllegalArgumentException when LISTEN_FDS or LISTEN_PID is malformed.
     * @throws PosixException           EBADF when there is no such descriptor.
     */
    public static List<OwnedFd> inheritedSockets(final Map<String, String> environment, final long pid) {
        final List<OwnedFd> sockets = new ArrayList<>();
        if (!environment.containsKey("LISTEN_FDS") || number(environment, "LISTEN_PID", -1) != pid) {
            return sockets;
        }
        final long count = number(environment, "LISTEN_FDS", 0);
        if (count > MAX_DESCRIPTORS) {
            throw new IllegalArgumentException("LISTEN_FDS=" + count + ", max=" + MAX_DESCRIPTORS);
        }
        for (int fd = FIRST_DESCRIPTOR; fd < FIRST_DESCRIPTOR + count; fd++) {
            try (OwnedFd inherited = OwnedFd.of(fd)) {
                sockets.add(inherited.duplicate());
            }
        }
        return sockets;
    }

    /**
     * The longest time between two calls of {@link #keepAlive}, in ns; 0 when no watchdog is set. Callers should use
     * half of it.
     */
    public long watchdogNs() {
        return watchdogNs;
    }

    /** The service is up. {@code status} is a human-readable line. */
    public void ready(final String status) {
        send("READY=1\n" + statusLine(status));
    }

    /** The present state of the service, as a human-readable line. */
    public void status(final String status) {
        send(statusLine(status));
    }

    /** The service is stopping. */
    public void stopping() {
        send("STOPPING=1");
    }

    /** A sign of life for the watchdog. */
    public void keepAlive() {
        send(keepAlive);
    }

    @Override
    public void close() {
        if (socket != null) {
            socket.close();
        }
        keepAlive.close();
    }

    private static String statusLine(final String status) {
        return "STATUS=" + status.replace('\n', ' ');
    }

    private void send(final String message) {
        if (socket != null) {
            try (Memory memory = memory(message)) {
                send(memory);
            }
        }
    }

    private void send(final Memory message) {
        if (socket != null) {
            Syscalls.send(socket.fd(), message.address(), message.length(), FLAGS);
        }
    }

    private static Memory memory(final String text) {
        final byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        final Memory memory = Memory.allocate(bytes.length);
        memory.buffer().putBytes(0, bytes);
        return memory;
    }

    private static long watchdogNs(final Map<String, String> environment, final long pid) {
        final boolean meant = number(environment, "WATCHDOG_PID", pid) == pid;
        return meant ? TimeUnit.MICROSECONDS.toNanos(number(environment, "WATCHDOG_USEC", 0)) : 0;
    }

    private static long number(final Map<String, String> environment, final String name, final long absent) {
        final String text = environment.get(name);
        if (text == null) {
            return absent;
        }
        try {
            return Long.parseUnsignedLong(text);
        } catch (final NumberFormatException e) {
            throw new IllegalArgumentException(name + "='" + text + "' is not a number", e);
        }
    }
}
