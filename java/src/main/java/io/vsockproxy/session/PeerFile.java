/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.session;

/**
 * A file that the other side owns, and that somebody here uses: an application through the mount, or a component.
 */
abstract class PeerFile {
    /** As {@link #handle()}. */
    final long handle;
    private boolean orphaned;

    PeerFile(final long handle) {
        this.handle = handle;
    }

    /** The number by which both sides know it. */
    final long handle() {
        return handle;
    }

    /** The owner has closed the file, or the session has ended: there will be no more requests. */
    final void orphan() {
        orphaned = true;
        onOrphaned();
    }

    /**
     * Called when the file has been {@linkplain #orphan orphaned}: ends whatever waits for something other than an
     * answer.
     */
    void onOrphaned() {
    }

    /** Whether {@link #orphan} was called. */
    final boolean isOrphaned() {
        return orphaned;
    }
}
