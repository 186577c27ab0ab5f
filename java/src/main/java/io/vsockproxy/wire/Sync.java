/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.wire;

/**
 * What an FstatRequest asks for in addition; implementations without the extension ignore it.
 */
public final class Sync {
    /** Nothing. */
    public static final int NONE = 0;
    /** Make everything written durable, as fsync(2) does. */
    public static final int ALL = 1;
    /** The same without metadata that is not needed to read it again, as fdatasync(2) does. */
    public static final int DATA = 2;

    private Sync() {
    }
}
