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
import org.agrona.collections.IntHashSet;

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
    private final IntHashSet admitted = new IntHashSet();
    /** Of each guest that is or was admitted: a session may have hold of it until it ends. */
    private final Int2ObjectHashMap<AllowedPaths> byCid = new Int2ObjectHashMap<>();

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

    /** Admits these from now on, and no others; sessions under way are allowed what is now allowed to their guests. */
    void guests(final Map<Integer, List<String>> guests) {
        admitted.clear();
        byCid.forEachInt((cid, paths) -> paths.replace(List.of()));
        guests.forEach((cid, own) -> {
            final List<String> paths = new ArrayList<>(commonPaths);
            paths.addAll(own);
            byCid.computeIfAbsent(cid, key -> new AllowedPaths(List.of())).replace(paths);
            admitted.add(cid);
        });
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
        return admitted.contains(cid) ? byCid.get(cid) : null;
    }

    /** Whether the peers to whom these paths were given are still admitted. */
    boolean admits(final AllowedPaths paths) {
        if (everyone) {
            return true;
        }
        final IntHashSet.IntIterator cids = admitted.iterator();
        while (cids.hasNext()) {
            if (byCid.get(cids.nextValue()) == paths) {
                return true;
            }
        }
        return false;
    }

    @Override
    public void close() {
        common.close();
        byCid.forEachInt((cid, paths) -> paths.close());
    }
}
