/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.file;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.vsockproxy.posix.Constants;
import io.vsockproxy.posix.Paths;
import io.vsockproxy.posix.PosixException;
import io.vsockproxy.posix.Syscalls;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.extension.AnnotatedElementContext;
import org.junit.jupiter.api.extension.ExtensionContext;
import org.junit.jupiter.api.io.TempDirFactory;

/**
 * A temporary directory on a disk: in the usual place for temporary files, or below the checkout if that place is in
 * memory or an overlay. {@link #assumeAvailable} skips a class where neither is on a disk.
 */
public final class DiskDirectory implements TempDirFactory {
    private static final String PREFIX = "vsockproxy-test";
    private static final List<Path> CANDIDATES =
        List.of(Path.of(System.getProperty("java.io.tmpdir")), Path.of("target").toAbsolutePath());

    @Override
    public Path createTempDirectory(final AnnotatedElementContext element, final ExtensionContext context)
        throws IOException {
        for (final Path candidate : CANDIDATES) {
            if (isOnDisk(candidate)) {
                return Files.createTempDirectory(candidate, PREFIX);
            }
        }
        return Files.createTempDirectory(PREFIX);
    }

    static void assumeAvailable() {
        assumeTrue(CANDIDATES.stream().anyMatch(DiskDirectory::isOnDisk), () -> "no disk below any of " + CANDIDATES);
    }

    private static boolean isOnDisk(final Path directory) {
        final int fd = PosixException.check(
            Paths.open(directory.toString(), Constants.O_RDONLY | Constants.O_CLOEXEC), "open " + directory);
        try {
            return FileSystemKind.of(fd) == FileSystemKind.DISK;
        } finally {
            Syscalls.close(fd);
        }
    }
}
