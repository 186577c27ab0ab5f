/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.posix;

import java.util.ArrayDeque;
import org.agrona.CloseHelper;

/**
 * What an object will own that is being made: if the rest of it cannot be made, they are closed, the last one first.
 *
 * <pre>
 *   try (Parts parts = new Parts()) {
 *       first = parts.add(new First());
 *       second = parts.add(new Second(first));
 *       parts.keep();
 *   }
 * </pre>
 */
public final class Parts implements AutoCloseable {
    private final ArrayDeque<AutoCloseable> parts = new ArrayDeque<>();

    /** One more, which it returns; nothing when that is null. */
    public <T extends AutoCloseable> T add(final T part) {
        if (part != null) {
            parts.push(part);
        }
        return part;
    }

    /** All is made: from now on they are their owner's affair. */
    public void keep() {
        parts.clear();
    }

    @Override
    public void close() {
        CloseHelper.quietCloseAll(parts);
    }
}
