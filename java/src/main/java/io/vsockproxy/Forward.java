/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy;

import io.vsockproxy.posix.SocketAddress;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A unix socket here that stands for one on the other side: each connection to {@code local} is connected to {@code
 * remote} there. Either path may be an @ followed by a name in the abstract namespace (unix(7)).
 *
 * @param local  path of the socket to listen on here.
 * @param remote path of the socket to connect to there; the other side must allow it.
 * @param cid    for an AF_VSOCK host, the context identifier (unsigned) of the guest to connect to; connections wait
 *               until it is there. {@link #LAST_PEER} means whichever guest connected last, and is what a guest uses
 *               for its host.
 */
public record Forward(String local, String remote, int cid) {
    /** No guest's CID: VMADDR_CID_ANY. */
    public static final int LAST_PEER = LinkAddress.ANY_CID;

    private static final Pattern OF_GUEST = Pattern.compile("(\\d+):(.*)", Pattern.DOTALL);

    /**
     * Checks both paths.
     *
     * @throws IllegalArgumentException when one of them is not the path of a unix socket: 1 to 107 bytes in UTF-8, no
     *                                  NUL.
     */
    public Forward {
        SocketAddress.checkPath(local);
        SocketAddress.checkPath(remote);
    }

    /** Forwards to the peer that connected last. Throws as the canonical constructor does. */
    public Forward(final String local, final String remote) {
        this(local, remote, LAST_PEER);
    }

    /**
     * Parses {@code LOCAL=REMOTE} or {@code LOCAL=CID:REMOTE}; the first equals sign separates them.
     *
     * @throws IllegalArgumentException when it is neither, or a path or CID is invalid; the message says what is wrong.
     */
    public static Forward parse(final String text) {
        final int separator = text.indexOf('=');
        if (separator < 0) {
            throw new IllegalArgumentException("forward '" + text + "' is neither LOCAL=REMOTE nor LOCAL=CID:REMOTE");
        }
        final String local = text.substring(0, separator);
        final Matcher ofGuest = OF_GUEST.matcher(text.substring(separator + 1));
        return ofGuest.matches()
            ? new Forward(local, ofGuest.group(2), cid(text, ofGuest.group(1)))
            : new Forward(local, text.substring(separator + 1));
    }

    private static int cid(final String text, final String digits) {
        try {
            return LinkAddress.guestCid(digits);
        } catch (final IllegalArgumentException e) {
            throw new IllegalArgumentException("forward '" + text + "': " + e.getMessage(), e);
        }
    }

    @Override
    public String toString() {
        return local + "=" + (cid == LAST_PEER ? "" : Integer.toUnsignedString(cid) + ":") + remote;
    }
}
