/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy;

import io.vsockproxy.posix.SocketAddress;

/**
 * Whether everything that a proxy needs is in its context, and holds together.
 */
final class ContextChecks {
    private static final long MIN_VSOCK_BUFFER_LENGTH = 64 << 10;
    /** Receive credit travels as 32 bits (struct virtio_vsock_hdr), and the kernel's own sums with it. */
    private static final long MAX_VSOCK_BUFFER_LENGTH = 1 << 30;

    private ContextChecks() {
    }

    /**
     * Checks everything.
     *
     * @throws IllegalArgumentException when something is missing, out of its range or in contradiction.
     */
    static void check(final VsockProxy.Context context) {
        checkAddress(context);
        checkNumbers(context);
        checkPaths(context);
    }

    private static void checkAddress(final VsockProxy.Context context) {
        final Role role = context.role();
        final LinkAddress address = context.address();
        if (role == null || address == null) {
            throw new IllegalArgumentException("role=" + role + ", address=" + address + ": both are needed");
        }
        if (role == Role.GUEST && !address.isConnectable()) {
            throw new IllegalArgumentException(
                "address '" + address + "' has no CID to connect to; the host's is 2: vsock:2:PORT");
        }
        if (!context.allowedCids().isEmpty() && (role != Role.HOST || address.isUnix())) {
            throw new IllegalArgumentException(
                "guests are told apart by their CIDs by a host on a vsock address only");
        }
    }

    private static void checkNumbers(final VsockProxy.Context context) {
        if (context.fileWorkerThreads() < 1) {
            throw new IllegalArgumentException("fileWorkerThreads=" + context.fileWorkerThreads() + ", min=1");
        }
        final long length = context.vsockBufferLength();
        if (length < MIN_VSOCK_BUFFER_LENGTH || length > MAX_VSOCK_BUFFER_LENGTH) {
            throw new IllegalArgumentException("vsockBufferLength=" + length + ", min=" + MIN_VSOCK_BUFFER_LENGTH
                + ", max=" + MAX_VSOCK_BUFFER_LENGTH);
        }
    }

    private static void checkPaths(final VsockProxy.Context context) {
        context.allowedPaths().forEach(SocketAddress::checkPath);
        if (context.descriptorSocket() != null) {
            SocketAddress.checkPath(context.descriptorSocket());
        }
        context.allowedPathsByCid().values().forEach(paths -> paths.forEach(SocketAddress::checkPath));
        context.acceptors().keySet().forEach(SocketAddress::checkPath);
        for (final String name : context.acceptors().keySet()) {
            if (context.allowedPaths().contains(name)) {
                throw new IllegalArgumentException(
                    "'" + name + "' is both a component's name and the path of a socket that may be connected to");
            }
        }
    }
}
