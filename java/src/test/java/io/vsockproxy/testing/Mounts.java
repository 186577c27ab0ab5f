/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.testing;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.sun.jna.LastErrorException;
import com.sun.jna.Library;
import com.sun.jna.Native;
import com.sun.jna.NativeLong;
import io.vsockproxy.posix.Constants;
import io.vsockproxy.posix.Errno;
import io.vsockproxy.posix.Paths;
import io.vsockproxy.posix.Syscalls;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/**
 * What is mounted, and whether anything can be.
 */
public final class Mounts {
    /** Calls that the shim has no use for. */
    private interface C extends Library {
        C INSTANCE = Native.load(null, C.class);

        int umount2(String path, int flags) throws LastErrorException;

        int mount(String source, String target, String type, NativeLong flags, String data) throws LastErrorException;
    }

    private Mounts() {
    }

    /** Skips the test where there is nothing to mount with, and says so. */
    public static void assumeMountable() throws IOException {
        final String obstacle = obstacle();
        assumeTrue(obstacle == null, () -> "skipped: " + obstacle);
    }

    /** Whether something can be mounted. */
    public static boolean isMountable() throws IOException {
        return obstacle() == null;
    }

    /** Whether a process can have mounts of its own: not where the root directory is no mount (chroot). */
    public static boolean canUnshare() throws IOException {
        try {
            return new ProcessBuilder("unshare", "--mount", "true").start().waitFor() == 0;
        } catch (final InterruptedException e) {
            throw new AssertionError(e);
        }
    }

    private static String obstacle() throws IOException {
        final int fd = Paths.open("/dev/fuse", Constants.O_RDWR | Constants.O_CLOEXEC);
        if (fd < 0) {
            return "cannot open /dev/fuse: " + Errno.name(-fd);
        }
        Syscalls.close(fd);
        return Integer.valueOf(0).equals(Files.getAttribute(Path.of("/proc/self"), "unix:uid")) ? null
            : "mounting takes root";
    }

    /** Lines of /proc/self/mountinfo about mount points in {@code directory} and below. */
    public static List<String> below(final Path directory) throws IOException {
        return Files.readAllLines(Path.of("/proc/self/mountinfo")).stream()
            .filter(line -> line.contains(" " + directory)).toList();
    }

    /** Mounts an empty file system that holds so many bytes on {@code directory}; {@link #detach} ends it. */
    public static void smallDisk(final Path directory, final int length) {
        C.INSTANCE.mount("none", directory.toString(), "tmpfs", new NativeLong(0), "size=" + length);
    }

    /** Takes away what a killed process has left mounted, if it has. */
    public static void detach(final Path directory) {
        try {
            C.INSTANCE.umount2(directory.toString(), Constants.MNT_DETACH);
        } catch (final LastErrorException e) {
            // Nothing was mounted there.
        }
    }
}
