/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy;

import io.vsockproxy.posix.SocketAddress;

/**
 * Where a host listens, or a guest connects: {@code vsock:CID:PORT}, {@code vsock:PORT} (any CID, to listen on) or
 * {@code unix:PATH}. The port is {@value #DEFAULT_PORT} where {@code vsock:} has none.
 *
 * @param path of a unix socket, or an @ followed by its name in the abstract namespace; null for a vsock address.
 * @param cid  context identifier of a vsock address, unsigned; {@link #ANY_CID} for any.
 * @param port of a vsock address, unsigned.
 */
public record LinkAddress(String path, int cid, int port) {
    /**
     * Checks the path.
     *
     * @throws IllegalArgumentException when it is not the path of a unix socket: 1 to 107 bytes in UTF-8, no NUL.
     */
    public LinkAddress {
        if (path != null) {
            SocketAddress.checkPath(path);
        }
    }

    /** The port that the protocol's other implementations use. */
    public static final int DEFAULT_PORT = 9900;

    /** VMADDR_CID_ANY: any CID, to listen on. */
    public static final int ANY_CID = -1;

    private static final String UNIX = "unix:";
    private static final String VSOCK = "vsock:";
    private static final long MAX_UNSIGNED = 0xFFFF_FFFFL;

    /** The address of a unix socket. Throws as the constructor does. */
    public static LinkAddress unix(final String path) {
        return new LinkAddress(path, 0, 0);
    }

    /** An AF_VSOCK address; {@code cid} and {@code port} are unsigned. */
    public static LinkAddress vsock(final int cid, final int port) {
        return new LinkAddress(null, cid, port);
    }

    /**
     * Parses {@code vsock:CID:PORT}, {@code vsock:PORT} or {@code unix:PATH}.
     *
     * @throws IllegalArgumentException when it is none of these; the message says what is wrong.
     */
    public static LinkAddress parse(final String text) {
        if (text.startsWith(UNIX)) {
            return unix(text.substring(UNIX.length()));
        }
        if (!text.startsWith(VSOCK)) {
            throw new IllegalArgumentException(
                "address '" + text + "' is neither vsock:CID:PORT, vsock:PORT nor unix:PATH");
        }
        final String[] parts = text.substring(VSOCK.length()).split(":", -1);
        if (parts.length > 2) {
            throw new IllegalArgumentException("address '" + text + "' has more than a CID and a port");
        }
        final String cid = parts.length == 2 ? parts[0] : "";
        final String port = parts[parts.length - 1];
        return vsock(
            cid.isEmpty() ? ANY_CID : number(text, "CID", cid),
            port.isEmpty() ? DEFAULT_PORT : number(text, "port", port));
    }

    /**
     * Parses a guest's context identifier.
     *
     * @return the CID, unsigned; never {@link #ANY_CID}, which no guest can have.
     * @throws IllegalArgumentException when it is not a number in that range.
     */
    public static int guestCid(final String digits) {
        try {
            final long cid = Long.parseLong(digits);
            if (cid >= 0 && cid < MAX_UNSIGNED) {
                return (int) cid;
            }
        } catch (final NumberFormatException e) {
            // Said below, with the numbers.
        }
        throw new IllegalArgumentException("CID '" + digits + "' is not a number from 0 to " + (MAX_UNSIGNED - 1));
    }

    /** Whether this is the address of a unix socket. */
    public boolean isUnix() {
        return path != null;
    }

    /** Whether one can connect to it: it does not stand for any CID. */
    public boolean isConnectable() {
        return isUnix() || cid != ANY_CID;
    }

    @Override
    public String toString() {
        if (isUnix()) {
            return UNIX + path;
        }
        final String unsignedPort = Integer.toUnsignedString(port);
        return VSOCK + (cid == ANY_CID ? unsignedPort : Integer.toUnsignedString(cid) + ":" + unsignedPort);
    }

    private static int number(final String text, final String what, final String digits) {
        try {
            final long value = Long.parseLong(digits);
            if (value >= 0 && value <= MAX_UNSIGNED) {
                return (int) value;
            }
        } catch (final NumberFormatException e) {
            // Said below, with the numbers.
        }
        throw new IllegalArgumentException(
            "address '" + text + "': " + what + " '" + digits + "' is not a number from 0 to " + MAX_UNSIGNED);
    }
}
