/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.stream;

import java.util.concurrent.atomic.AtomicBoolean;

/**
 * Whether the reader of a ring has been told to look, so that it is told only once for everything added until it does.
 * Writers commit, then {@link #raise}; the reader {@linkplain #lower lowers}, then reads.
 *
 * <p>Both are atomic updates. A plain read of the flag could be reordered before a writer's commit, which is only a
 * release store: the reader would then neither see what was committed nor be told about it. See docs/threads.md.
 */
final class WakeFlag {
    private final AtomicBoolean raised = new AtomicBoolean();

    /** Any thread: raises the flag, and returns whether the caller must tell the reader, because nobody else has. */
    boolean raise() {
        return !raised.getAndSet(true);
    }

    /** Lowers the flag: the reader is about to read, or a writer could not tell it. */
    void lower() {
        raised.getAndSet(false);
    }
}
