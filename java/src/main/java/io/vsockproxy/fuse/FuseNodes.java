/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.fuse;

import java.util.HashMap;
import java.util.Map;
import org.agrona.collections.Long2ObjectHashMap;

/**
 * The files of the mount, by node id and, until they are open, by name. Confined to the loop's thread.
 */
final class FuseNodes {
    private final Long2ObjectHashMap<FuseNode> byId = new Long2ObjectHashMap<>();
    private final Map<FuseName, FuseNode> byName = new HashMap<>();
    private long lastId = FuseProtocol.ROOT_ID;

    /**
     * A new node id. Ids are never reused, so that a late message about an old file cannot be taken for one about a new
     * file.
     */
    long nextId() {
        return ++lastId;
    }

    /** How many files the kernel or a backend still refers to. */
    int size() {
        return byId.size();
    }

    void add(final FuseNode node) {
        byId.put(node.id(), node);
        byName.put(node.name(), node);
    }

    /** The node with this id, or null. */
    FuseNode get(final long id) {
        return byId.get(id);
    }

    /** The node with this name that is not open yet, or null. {@code name} may be null. */
    FuseNode find(final FuseName name) {
        return name == null ? null : byName.get(name);
    }

    /** Makes the node unreachable by its name. */
    void hide(final FuseNode node) {
        byName.remove(node.name());
    }

    /**
     * Releases the node's backend and removes the node when nobody refers to them any more. To be called after each
     * change of its state.
     */
    void settle(final FuseNode node) {
        if (node.isUnreachable()) {
            node.release();
        }
        if (node.isGone()) {
            hide(node);
            byId.remove(node.id());
        }
    }

    /** At the end of the mount: releases all that are left. */
    void releaseAll() {
        final FuseNode[] nodes = byId.values().toArray(new FuseNode[0]);
        byId.clear();
        byName.clear();
        for (final FuseNode node : nodes) {
            node.release();
        }
    }
}
