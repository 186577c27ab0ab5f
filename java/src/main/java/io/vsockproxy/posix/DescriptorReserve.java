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
 * The descriptor numbers that are kept free for short-lived use: descriptors that only pass through, and the JVM's own
 * files.
 *
 * <p>The kernel always assigns the lowest free number. So as long as nobody keeps a descriptor numbered {@link
 * #firstSpare} or higher, all of those numbers are free, and every descriptor of a received message finds one;
 * otherwise the kernel would drop some (MSG_CTRUNC) without saying which. Whoever wants to keep a descriptor asks
 * {@link #keep} or {@link #isSpare} first; if it is spare, it is closed again, as if the kernel had answered EMFILE.
 * The reserve itself holds and counts nothing.
 *
 * <p>Immutable; any thread.
 */
public final class DescriptorReserve {
    /** As many as one message can bring, and a few more. */
    private static final int MAX_SPARE = ControlData.MAX_DESCRIPTORS + 3;
    /** When the limit is low, this fraction of it is spare. */
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

    /** The reserve for this process's current limit; an empty one when /proc does not tell the limit. */
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

    /** Whether {@code fd} is one of the reserved numbers, and must not be kept. */
    public boolean isSpare(final int fd) {
        return fd >= firstSpare;
    }

    /**
     * Closes a new descriptor again if it is spare. Takes ownership of it.
     *
     * @param result of the call that has opened it: the descriptor, or {@code -errno}.
     * @return {@code result}, and the caller owns the descriptor; or {@code -EMFILE} if it was spare.
     */
    public int keep(final int result) {
        if (result >= 0 && isSpare(result)) {
            Syscalls.close(result);
            return -Errno.EMFILE;
        }
        return result;
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
