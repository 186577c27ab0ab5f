/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy;

import io.vsockproxy.config.SessionLimits;
import io.vsockproxy.posix.SocketAddress;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/**
 * Checks that a proxy's context is complete and consistent.
 */
final class ContextChecks {
    private static final long MIN_VSOCK_BUFFER_LENGTH = 64 << 10;
    /** Receive credit travels in 32 bits (struct virtio_vsock_hdr), and the kernel adds it up in 32 bits too. */
    private static final long MAX_VSOCK_BUFFER_LENGTH = 1 << 30;
    private static final int MAX_WORKER_THREADS = 1024;
    private static final int MAX_SESSIONS = 65_536;
    private static final long MAX_SPIN_NS = TimeUnit.SECONDS.toNanos(1);

    private ContextChecks() {
    }

    /**
     * Checks everything.
     *
     * @throws IllegalArgumentException when something is missing, out of range or contradictory.
     */
    static void check(final VsockProxy.Context context) {
        checkAddress(context);
        checkForwards(context);
        checkNumbers(context);
        checkPaths(context);
        checkListeningPaths(context);
    }

    private static void checkAddress(final VsockProxy.Context context) {
        final Role role = context.role();
        final LinkAddress address = context.address();
        if (role == null || address == null) {
            throw new IllegalArgumentException("role=" + role + ", address=" + address + ": both are needed");
        }
        if (role == Role.GUEST && !address.isConnectable()) {
            throw new IllegalArgumentException("address '" + address
                + "' has no CID to connect to; the host's is 2: vsock:2:" + Integer.toUnsignedString(address.port()));
        }
        if (context.guests() != null && (role != Role.HOST || address.isUnix())) {
            throw new IllegalArgumentException(
                "guests: only a host on a vsock address can tell guests apart by CID");
        }
    }

    private static void checkForwards(final VsockProxy.Context context) {
        for (final Forward forward : context.forwards()) {
            if (forward.cid() != Forward.LAST_PEER && (context.role() != Role.HOST || context.address().isUnix())) {
                throw new IllegalArgumentException("forward=" + forward
                    + ": only a host on a vsock address can tell guests apart by CID");
            }
        }
    }

    private static void checkNumbers(final VsockProxy.Context context) {
        check("maxFrameLength", context.limits().maxFrameLength(), SessionLimits.MIN_FRAME_LENGTH, Integer.MAX_VALUE);
        check("fileWorkerThreads", context.fileWorkerThreads(), 1, MAX_WORKER_THREADS);
        check("maxSessions", context.maxSessions(), 1, MAX_SESSIONS);
        check("cpu", context.cpu(), VsockProxy.ANY_CPU, Integer.MAX_VALUE);
        check("spinLimitNs", context.spinLimitNs(), 0, MAX_SPIN_NS);
        check("livenessIntervalNs", context.livenessIntervalNs(), 0, SessionLimits.MAX_TIMEOUT_NS);
        check("drainTimeoutNs", context.drainTimeoutNs(), 0, SessionLimits.MAX_TIMEOUT_NS);
        check("vsockBufferLength", context.vsockBufferLength(), MIN_VSOCK_BUFFER_LENGTH, MAX_VSOCK_BUFFER_LENGTH);
    }

    private static void check(final String name, final long value, final long min, final long max) {
        if (value < min || value > max) {
            throw new IllegalArgumentException(name + "=" + value + ", min=" + min + ", max=" + max);
        }
    }

    /** Checks what guests may connect to. */
    static void checkPaths(final Map<Integer, List<String>> pathsByCid) {
        pathsByCid.values().forEach(paths -> paths.forEach(path -> checkAllowed("guests", path)));
    }

    /** Paths the other side asks for are compared literally, and it cannot know this process's working directory. */
    private static void checkAllowed(final String name, final String path) {
        checkPath(name, path);
        if (!path.startsWith("/") && !SocketAddress.isAbstract(path)) {
            throw new IllegalArgumentException(name + "=" + path + ": neither an absolute path nor an @NAME");
        }
    }

    private static void checkPaths(final VsockProxy.Context context) {
        // Empty when it comes from an unset shell variable; mounting would then cover the working directory.
        if (context.filesDirectory() != null && context.filesDirectory().toString().isEmpty()) {
            throw new IllegalArgumentException("filesDirectory=: the path is empty");
        }
        context.allowedPaths().forEach(path -> checkAllowed("allowConnect", path));
        if (context.descriptorSocket() != null) {
            checkPath("descriptorSocket", context.descriptorSocket());
        }
        if (context.guests() != null) {
            checkPaths(context.guests());
        }
        context.acceptors().keySet().forEach(name -> checkPath("accept", name));
        for (final String name : context.acceptors().keySet()) {
            if (context.allowedPaths().contains(name)) {
                throw new IllegalArgumentException(
                    "'" + name + "' is both a component's name and the path of a socket that may be connected to");
            }
        }
    }

    private static void checkPath(final String name, final String path) {
        try {
            SocketAddress.checkPath(path);
        } catch (final IllegalArgumentException e) {
            throw new IllegalArgumentException(name + ": " + e.getMessage(), e);
        }
    }

    /** Each socket listens on a path of its own. */
    private static void checkListeningPaths(final VsockProxy.Context context) {
        final Map<String, String> settings = new HashMap<>();
        if (context.role() == Role.HOST && context.address().isUnix()) {
            settings.put(context.address().path(), "address=" + context.address());
        }
        if (context.role() == Role.HOST && context.descriptorSocket() != null) {
            checkListeningPath(settings, context.descriptorSocket(), "descriptorSocket=" + context.descriptorSocket());
        }
        for (final Forward forward : context.forwards()) {
            checkListeningPath(settings, forward.local(), "forward=" + forward);
        }
    }

    private static void checkListeningPath(
        final Map<String, String> settings, final String path, final String setting) {
        final String other = settings.putIfAbsent(path, setting);
        if (other != null) {
            throw new IllegalArgumentException(other + " and " + setting + " both listen on " + path);
        }
    }
}
