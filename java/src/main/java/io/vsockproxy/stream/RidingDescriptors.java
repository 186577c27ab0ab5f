/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.stream;

import io.vsockproxy.posix.ControlData;
import java.util.Arrays;

/**
 * Descriptors that came without a byte, and ride on the next one. Stateless.
 */
final class RidingDescriptors {
    private RidingDescriptors() {
    }

    /**
     * The descriptors for one byte: the earlier ones, which came first, and then the byte's own. If those are too many
     * for one message, the later ones are closed. Takes ownership of all of them; the caller owns those returned.
     */
    static int[] join(final int[] earlier, final int[] later) {
        if (earlier.length == 0) {
            return later;
        }
        final int count = earlier.length + later.length;
        if (count > ControlData.MAX_DESCRIPTORS) {
            Stream.closeAll(later);
            return earlier;
        }
        final int[] all = Arrays.copyOf(earlier, count);
        System.arraycopy(later, 0, all, earlier.length, later.length);
        return all;
    }
}
