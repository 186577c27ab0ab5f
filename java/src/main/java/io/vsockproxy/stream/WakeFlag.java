/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.stream;

import java.util.concurrent.atomic.AtomicBoolean;

/**
 * Whether the reader of a ring has been told to look, so that it is told once for all that comes until it does. Writers
 * commit, then {@link #raise}; the reader {@linkplain #lower lowers}, then reads.
 *
 * <p>Both are atomic updates. A mere look at the flag could overtake a writer's commit, which is a release store: the
 * reader would not see what was committed, nor be told of it. See docs/threads.md.
 */
final class WakeFlag {
    private final AtomicBoolean raised = new AtomicBoolean();

    /** Any thread: whether the caller is to tell the reader, as nobody else has. */
    boolean raise() {
        return !raised.getAndSet(true);
    }

    /** The reader is about to read; or the caller, who was to tell it, could not. */
    void lower() {
        raised.getAndSet(false);
    }
}
