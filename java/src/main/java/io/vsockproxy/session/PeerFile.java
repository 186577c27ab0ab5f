/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.session;

/**
 * A file of the other side that somebody here has: an application by way of the mount, or a component.
 */
abstract class PeerFile {
    /** As {@link #handle()}. */
    final long handle;
    private boolean orphaned;

    PeerFile(final long handle) {
        this.handle = handle;
    }

    /** The owner's name for it. */
    final long handle() {
        return handle;
    }

    /** The owner has closed the file, or the session is over: no more requests. */
    final void orphan() {
        orphaned = true;
        onOrphaned();
    }

    /** It has just been {@linkplain #orphan orphaned}: for whoever waits for something else than an answer. */
    void onOrphaned() {
    }

    /** Whether {@link #orphan} was called. */
    final boolean isOrphaned() {
        return orphaned;
    }
}
