/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy;

import io.vsockproxy.posix.SocketAddress;

/**
 * A unix socket here that stands for one on the other side: each connection to {@code local} is connected to
 * {@code remote} there. Either path may be an @ and a name in the abstract namespace (unix(7)).
 *
 * @param local  path of the socket to listen on.
 * @param remote path that the other side must allow.
 */
public record Forward(String local, String remote) {
    /**
     * Checks both paths.
     *
     * @throws IllegalArgumentException when one of them cannot be that of a unix socket: 1 to 107 bytes in UTF-8, no
     *                                  NUL.
     */
    public Forward {
        SocketAddress.checkPath(local);
        SocketAddress.checkPath(remote);
    }

    /**
     * Parses {@code LOCAL=REMOTE}; the first equals sign separates them.
     *
     * @throws IllegalArgumentException whose message says what is wrong with it.
     */
    public static Forward parse(final String text) {
        final int separator = text.indexOf('=');
        if (separator < 0) {
            throw new IllegalArgumentException("forward '" + text + "' is not LOCAL=REMOTE");
        }
        return new Forward(text.substring(0, separator), text.substring(separator + 1));
    }

    @Override
    public String toString() {
        return local + "=" + remote;
    }
}
