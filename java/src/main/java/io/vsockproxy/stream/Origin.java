/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.stream;

/**
 * Where the descriptor of a stream has come from, which says who else may have it.
 */
public enum Origin {
    /** Made, accepted or connected by the proxy; a socket is AF_UNIX and O_NONBLOCK. Nobody else has it. */
    PROXY(true),
    /** Made by the proxy: the other end of what an application here has for a descriptor of the other side. */
    STAND_IN(true),
    /** An AF_UNIX socket that an application has passed, and of which it may have kept a copy. */
    APPLICATION_UNIX(true),
    /** Anything else that an application has passed. */
    APPLICATION(false);

    private final boolean unixFamily;

    Origin(final boolean unixFamily) {
        this.unixFamily = unixFamily;
    }

    /** Whether an application has it as well, or may have. */
    boolean isShared() {
        return this == APPLICATION_UNIX || this == APPLICATION;
    }

    /** Whether it is AF_UNIX and so can carry descriptors, if it is a socket. */
    boolean isUnixFamily() {
        return unixFamily;
    }
}
