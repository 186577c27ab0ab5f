/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.fuse;

import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.vsockproxy.loop.EventLoop;
import io.vsockproxy.testing.ChildJvm;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * A JVM in which JNA cannot unpack its library.
 */
@Timeout(value = 60, unit = TimeUnit.SECONDS)
class JnaFailureTest {
    @Test
    void shouldNameTheRemedyAndLeaveTheDirectoryAlone(@TempDir final Path directory) {
        final Path mount = directory.resolve("mount");
        try (ChildJvm process = ChildJvm.start(Mounting.class, mount.toString())) {
            final String message = process.answer();
            assertTrue(message.startsWith("cannot mount on " + mount + ": JNA, which mounts, cannot load"), message);
            assertTrue(message.contains("set -Djna.tmpdir to a directory that"), message);
            assertTrue(message.contains("--enable-native-access=ALL-UNNAMED"), message);
        }
        assertFalse(Files.exists(mount));
    }

    /** Says in one line why it cannot mount. */
    static final class Mounting {
        private Mounting() {
        }

        public static void main(final String[] args) {
            System.setProperty("jna.tmpdir", "/proc/none");
            try (EventLoop loop = new EventLoop(0, Fixture::failOn)) {
                FuseMount.mount(loop, Runnable::run, Path.of(args[0]), false).close();
                System.out.println("mounted");
            } catch (final MountException e) {
                System.out.println(e.getMessage().replace('\n', ' '));
            }
        }
    }
}
