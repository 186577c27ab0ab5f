/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy;

/**
 * Which side of the virtual machine's boundary a proxy is on. Handles and cookies assigned by the host are positive,
 * those assigned by the guest negative.
 */
public enum Role {
    /** Listens for guests, any number of them. */
    HOST,
    /** Connects to the host, and keeps trying while there is none. */
    GUEST
}
