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
 * <p>The hypervisor assigns each guest's CID; a guest cannot choose it, but a migration may change it. So it is looked
 * up anew for each connection.
 */
final class Admission implements AutoCloseable {
    private final List<String> commonPaths;
    private final AllowedPaths common;
    private final boolean everyone;
    /**
     * What each admitted guest may connect to. Its sessions refer to the same object, so that a change reaches them.
     */
    private Int2ObjectHashMap<AllowedPaths> byCid = new Int2ObjectHashMap<>();

    /**
     * @param commonPaths what every admitted peer may connect to.
     * @param guests      the guests to admit, by CID, each with the paths it is allowed besides the common ones; null
     *                    admits every guest.
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
     * Admits these guests from now on, and no others. Running sessions get their guest's new permissions at once; those
     * of guests no longer admitted may connect to nothing.
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

    /** What a peer without a CID (on a unix-socket link) may connect to. Owned by this object. */
    AllowedPaths paths() {
        return common;
    }

    /** What the peer at {@code cid} may connect to, owned by this object; null when it may have no session. */
    AllowedPaths paths(final int cid) {
        if (everyone) {
            return common;
        }
        return byCid.get(cid);
    }

    /** Whether the peer whose sessions were given these paths is still admitted. */
    boolean admits(final AllowedPaths paths) {
        return everyone || byCid.containsValue(paths);
    }

    @Override
    public void close() {
        common.close();
        byCid.forEachInt((cid, paths) -> paths.close());
    }
}
