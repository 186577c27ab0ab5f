/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.session;

/**
 * A regular file of the other side, in use here.
 */
interface PeerFile {
    /** The owner's name for it. */
    long handle();

    /** The owner has closed the file, or the session is over: no more requests. */
    void orphan();

    /** Whether {@link #orphan} was called. */
    boolean isOrphaned();
}
