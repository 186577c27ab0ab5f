/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.stream;

/**
 * Where the descriptor of a stream comes from, which determines who else may have it.
 */
public enum Origin {
    /** Created, accepted or connected by the proxy; sockets are AF_UNIX and O_NONBLOCK. Nobody else has it. */
    PROXY(true),
    /**
     * Created by the proxy: the other end of a stand-in, which an application here has in place of the other side's
     * descriptor. Nobody else has it.
     */
    STAND_IN(true),
    /** An AF_UNIX socket that an application has passed. It may have kept a copy. */
    APPLICATION_UNIX(true),
    /** Any other descriptor that an application has passed. It may have kept a copy. */
    APPLICATION(false);

    private final boolean unixFamily;

    Origin(final boolean unixFamily) {
        this.unixFamily = unixFamily;
    }

    /** Whether an application may have it as well. */
    boolean isShared() {
        return this == APPLICATION_UNIX || this == APPLICATION;
    }

    /** Whether it is AF_UNIX, and so can carry descriptors, provided that it is a socket. */
    boolean isUnixFamily() {
        return unixFamily;
    }
}
