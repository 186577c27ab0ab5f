/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.fuse;

import java.util.HashMap;
import java.util.Map;
import org.agrona.collections.Long2ObjectHashMap;

/**
 * The files that were given out, by the kernel's number and, until they are open, by name. Loop's thread only.
 */
final class FuseNodes {
    private final Long2ObjectHashMap<FuseNode> byId = new Long2ObjectHashMap<>();
    private final Map<FuseName, FuseNode> byName = new HashMap<>();
    private long lastId = FuseProtocol.ROOT_ID;

    /** Numbers are never used twice, so that a late message about an old file cannot mean a new one. */
    long nextId() {
        return ++lastId;
    }

    /** How many the kernel or a backend still knows. */
    int size() {
        return byId.size();
    }

    void add(final FuseNode node) {
        byId.put(node.id(), node);
        byName.put(node.name(), node);
    }

    /** The node of that number, or null. */
    FuseNode get(final long id) {
        return byId.get(id);
    }

    /** The node of that name that is not open yet, or null; {@code name} may be null. */
    FuseNode find(final FuseName name) {
        return name == null ? null : byName.get(name);
    }

    /** The name leads nowhere from now on. */
    void hide(final FuseNode node) {
        byName.remove(node.name());
    }

    /** To be called after each step of a node's life: releases its backend and forgets it when that is due. */
    void settle(final FuseNode node) {
        if (node.isUnreachable()) {
            node.release();
        }
        if (node.isGone()) {
            hide(node);
            byId.remove(node.id());
        }
    }

    /** The end of the mount: releases what is left. */
    void releaseAll() {
        final FuseNode[] nodes = byId.values().toArray(new FuseNode[0]);
        byId.clear();
        byName.clear();
        for (final FuseNode node : nodes) {
            node.release();
        }
    }
}
