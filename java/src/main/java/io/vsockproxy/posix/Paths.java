/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.posix;

import java.nio.charset.StandardCharsets;
import java.util.function.LongToIntFunction;

/**
 * System calls that take a path. They allocate, so they are only for rare events.
 */
public final class Paths {
    private Paths() {
    }

    /** open(2): a descriptor, which the caller owns, or {@code -errno}. */
    public static int open(final String path, final int flags) {
        return withPath(path, address -> Syscalls.open(address, flags, 0));
    }

    /** unlink(2): 0 or {@code -errno}. */
    public static int unlink(final String path) {
        return withPath(path, Syscalls::unlink);
    }

    /** chmod(2): 0 or {@code -errno}. */
    public static int chmod(final String path, final int mode) {
        return withPath(path, address -> Syscalls.chmod(address, mode));
    }

    private static int withPath(final String path, final LongToIntFunction call) {
        final byte[] bytes = path.getBytes(StandardCharsets.UTF_8);
        try (Memory memory = Memory.allocate(bytes.length + 1)) {
            memory.buffer().putBytes(0, bytes);
            return call.applyAsInt(memory.address());
        }
    }
}
