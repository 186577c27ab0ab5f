/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy;

import io.vsockproxy.session.AllowedPaths;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.agrona.collections.Int2ObjectHashMap;

/**
 * Which peers may have a session, and which local sockets each may ask to be connected to. Loop's thread only.
 *
 * <p>The hypervisor says which CID a guest has, and a guest cannot choose it; but after a migration it may have
 * another. So it is looked up anew with each connection.
 */
final class Admission implements AutoCloseable {
    private final List<String> commonPaths;
    private final AllowedPaths common;
    private final boolean everyone;
    /** What each guest that is admitted may connect to; its sessions have hold of that. */
    private Int2ObjectHashMap<AllowedPaths> byCid = new Int2ObjectHashMap<>();

    /**
     * @param commonPaths allowed to every peer that is admitted.
     * @param guests      admitted, by their CIDs, each with what it is allowed besides the common paths; null for every
     *                    one.
     */
    Admission(final List<String> commonPaths, final Map<Integer, List<String>> guests) {
        this.commonPaths = commonPaths;
        common = new AllowedPaths(commonPaths);
        everyone = guests == null;
        if (!everyone) {
            guests(guests);
        }
    }

    /**
     * Admits these from now on, and no others; sessions under way are allowed what is now allowed to their guests, and
     * those of guests that are not admitted any more are allowed nothing.
     */
    void guests(final Map<Integer, List<String>> guests) {
        final Int2ObjectHashMap<AllowedPaths> before = byCid;
        byCid = new Int2ObjectHashMap<>();
        guests.forEach((cid, own) -> {
            final List<String> paths = new ArrayList<>(commonPaths);
            paths.addAll(own);
            final AllowedPaths known = before.remove((int) cid);
            if (known == null) {
                byCid.put((int) cid, new AllowedPaths(paths));
            } else {
                known.replace(paths);
                byCid.put((int) cid, known);
            }
        });
        before.values().forEach(AllowedPaths::close);
    }

    /** What a peer without a CID, on a unix-socket link, may connect to. It stays this object's. */
    AllowedPaths paths() {
        return common;
    }

    /** What the peer at {@code cid} may connect to, which stays this object's; null when it may have no session. */
    AllowedPaths paths(final int cid) {
        if (everyone) {
            return common;
        }
        return byCid.get(cid);
    }

    /** Whether the peers to whom these paths were given are still admitted. */
    boolean admits(final AllowedPaths paths) {
        return everyone || byCid.containsValue(paths);
    }

    @Override
    public void close() {
        common.close();
        byCid.forEachInt((cid, paths) -> paths.close());
    }
}
