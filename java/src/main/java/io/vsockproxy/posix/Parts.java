/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.posix;

import java.util.ArrayDeque;
import org.agrona.CloseHelper;

/**
 * The parts of an object under construction: if the rest cannot be constructed, they are closed, last one first.
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

    /** Adds a part, unless it is null, and returns it. */
    public <T extends AutoCloseable> T add(final T part) {
        if (part != null) {
            parts.push(part);
        }
        return part;
    }

    /** Construction has succeeded: {@link #close} will not close the parts any more. */
    public void keep() {
        parts.clear();
    }

    @Override
    public void close() {
        CloseHelper.quietCloseAll(parts);
    }
}
