/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.testing;

import io.vsockproxy.LinkAddress;
import java.nio.file.Path;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * The link that tests use between two proxies: a unix socket, or AF_VSOCK's loopback when system property {@code
 * vsockproxy.test.link} is {@code vsock}. The latter only in a virtual machine that the tests have started: elsewhere
 * AF_VSOCK may lead to a machine that has nothing to do with them.
 */
public final class TestLink {
    /** Set by the first process of that machine, and by nobody else. */
    public static final String VM_VARIABLE = "VSOCKPROXY_VM";

    private static final String PROPERTY = "vsockproxy.test.link";
    private static final boolean VSOCK = "vsock".equals(System.getProperty(PROPERTY));
    /** VMADDR_CID_LOCAL. */
    private static final int LOOPBACK_CID = 1;
    private static final int FIRST_PORT = 20_000;
    private static final Map<Path, Integer> PORTS = new ConcurrentHashMap<>();
    private static final AtomicInteger NEXT_PORT = new AtomicInteger(FIRST_PORT);

    static {
        if (VSOCK && !isInVirtualMachine()) {
            throw new IllegalStateException(PROPERTY + "=vsock outside a machine of the tests: no " + VM_VARIABLE);
        }
    }

    private TestLink() {
    }

    /** Whether this is a virtual machine that the tests have started. */
    public static boolean isInVirtualMachine() {
        return System.getenv(VM_VARIABLE) != null;
    }

    /** The address of the link that belongs to {@code directory}: the same for the same directory. */
    public static LinkAddress in(final Path directory) {
        return VSOCK
            ? LinkAddress.vsock(LOOPBACK_CID, PORTS.computeIfAbsent(directory, any -> NEXT_PORT.getAndIncrement()))
            : LinkAddress.unix(directory.resolve("link").toString());
    }

    /** Whether descriptors themselves can go along with the bytes of the link. */
    public static boolean carriesDescriptors() {
        return !VSOCK;
    }
}
