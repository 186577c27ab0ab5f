/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.posix;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/**
 * The descriptor numbers that are kept free for what is needed for a moment only: descriptors that are on their way
 * through, files of the JVM's own.
 *
 * <p>The kernel gives out the lowest free number. So as long as nobody keeps a descriptor with a number from
 * {@link #firstSpare} on, all of those are free: a received message's descriptors all find a number, where the kernel
 * would drop those that do not (MSG_CTRUNC) without a word about which. Whoever wants to keep a descriptor asks {@link
 * #isSpare}, and if so closes it again as if the kernel had said EMFILE. Nothing is held, nothing is counted.
 *
 * <p>Immutable; any thread.
 */
public final class DescriptorReserve {
    /** As many as one message brings, and a few more. */
    private static final int MAX_SPARE = ControlData.MAX_DESCRIPTORS + 3;
    /** Of a lower limit, this part is spare. */
    private static final int SPARE_DIVISOR = 8;
    private static final Path LIMITS = Path.of("/proc/self/limits");
    private static final String LIMIT_NAME = "Max open files";

    private final int firstSpare;

    /**
     * @param limit how many descriptors the process may have: RLIMIT_NOFILE.
     */
    public DescriptorReserve(final long limit) {
        final long spare = Math.min(MAX_SPARE, limit / SPARE_DIVISOR);
        firstSpare = (int) Math.min(Integer.MAX_VALUE, limit - spare);
    }

    /** For the limit that this process has now; without a reserve where /proc does not tell it. */
    public static DescriptorReserve ofThisProcess() {
        try {
            return new DescriptorReserve(softLimit(Files.readAllLines(LIMITS)));
        } catch (final IOException e) {
            return new DescriptorReserve(Integer.MAX_VALUE);
        }
    }

    /** The lowest number that is spare. */
    public int firstSpare() {
        return firstSpare;
    }

    /** Whether {@code fd} may only be used for a moment. */
    public boolean isSpare(final int fd) {
        return fd >= firstSpare;
    }

    /** RLIMIT_NOFILE's soft value in lines like {@code Max open files   1024   4096   files}. */
    static long softLimit(final List<String> lines) {
        for (final String line : lines) {
            if (line.startsWith(LIMIT_NAME)) {
                final String soft = line.substring(LIMIT_NAME.length()).strip().split("\\s+", 2)[0];
                return "unlimited".equals(soft) ? Integer.MAX_VALUE : Long.parseLong(soft);
            }
        }
        return Integer.MAX_VALUE;
    }
}
