/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy;

/**
 * Which side of the virtual machine's boundary a proxy is on. Handles and cookies that it makes up are positive on the
 * host and negative on the guest.
 */
public enum Role {
    /** Listens for guests, any number of them. */
    HOST,
    /** Connects to the host, again and again while there is none. */
    GUEST
}
