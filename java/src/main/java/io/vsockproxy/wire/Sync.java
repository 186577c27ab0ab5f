/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.wire;

/**
 * What an FstatRequest asks for besides; implementations without the extension skip it.
 */
public final class Sync {
    /** Nothing. */
    public static final int NONE = 0;
    /** What was written is to be durable, as by fsync(2). */
    public static final int ALL = 1;
    /** The same without what is not needed to read it again, as by fdatasync(2). */
    public static final int DATA = 2;

    private Sync() {
    }
}
