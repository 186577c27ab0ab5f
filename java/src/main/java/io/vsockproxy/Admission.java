/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy;

import io.vsockproxy.session.AllowedPaths;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.agrona.collections.Int2ObjectHashMap;

/**
 * Which peers may have a session, and which local sockets each may ask to be connected to.
 *
 * <p>The hypervisor says which CID a guest has, and a guest cannot choose it; but after a migration it may have
 * another. So it is looked up anew with each connection.
 */
final class Admission implements AutoCloseable {
    private final AllowedPaths common;
    private final Int2ObjectHashMap<AllowedPaths> byCid = new Int2ObjectHashMap<>();

    /**
     * @param commonPaths allowed to every peer that is admitted.
     * @param cids        admitted; every one when there is none.
     * @param pathsByCid  allowed to one CID, besides the common ones.
     */
    Admission(final List<String> commonPaths, final Set<Integer> cids, final Map<Integer, List<String>> pathsByCid) {
        common = new AllowedPaths(commonPaths);
        for (final Integer cid : cids) {
            final List<String> paths = new ArrayList<>(commonPaths);
            paths.addAll(pathsByCid.getOrDefault(cid, List.of()));
            byCid.put(cid, new AllowedPaths(paths));
        }
    }

    /** What a peer without a CID, on a unix-socket link, may connect to. It stays this object's. */
    AllowedPaths paths() {
        return common;
    }

    /** What the peer at {@code cid} may connect to, which stays this object's; null when it may have no session. */
    AllowedPaths paths(final int cid) {
        return byCid.isEmpty() ? common : byCid.get(cid);
    }

    @Override
    public void close() {
        common.close();
        byCid.forEachInt((cid, paths) -> paths.close());
    }
}
