/*
 * Copyright 2026 The vsock-proxy authors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.vsockproxy.extension;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.vsockproxy.posix.Constants;
import io.vsockproxy.proto.FileDescriptor;
import io.vsockproxy.testing.Endpoint;
import io.vsockproxy.testing.FileCalls;
import io.vsockproxy.testing.Messages;
import io.vsockproxy.testing.Mounts;
import io.vsockproxy.testing.NoticePeer;
import io.vsockproxy.testing.ProxyProcess;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * The position of a passed file, as a host sends it.
 */
@Timeout(value = 60, unit = TimeUnit.SECONDS)
class FilePositionTest {
    /** Hides what /proc has to say of the descriptors of the process that the shell becomes. */
    private static final String HIDING =
        "mount -t tmpfs none /proc/$$/fdinfo && ! test -e /proc/$$/fdinfo/0 && exec \"$0\" \"$@\"";
    private static final long BEYOND_4_GIB = (5L << 30) + 7;

    @TempDir
    Path directory;

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void shouldBeToldWhetherProcShowsItOrNot(final boolean hidden) throws IOException {
        Mounts.assumeMountable();
        assumeTrue(!hidden || Mounts.canUnshare(), "needs a mount namespace of its own (unshare --mount)");
        final Path path = directory.resolve("target");
        final List<String> prefix = hidden ? List.of("unshare", "--mount", "sh", "-c", HIDING) : List.of();
        try (Endpoint target = Endpoint.listen(path);
            ProxyProcess host = ProxyProcess.start(prefix, "host", "--listen", "unix:" + directory.resolve("link"),
                "--allow-connect", path.toString()).awaitReady();
            NoticePeer guest = new NoticePeer(Endpoint.connect(directory.resolve("link")))) {
            guest.send(NoticePeer.greeting(1 << 20), Messages.connectRequest(-1, path.toString()));
            try (Endpoint application = target.accept();
                Endpoint file = Endpoint.open(Files.writeString(directory.resolve("log"), "half"), Constants.O_RDWR)) {
                guest.receive();
                for (final long position : new long[] {0, 4, BEYOND_4_GIB}) {
                    assertEquals(position, FileCalls.seek(file, position, FileCalls.SEEK_SET));
                    application.send("x", file);
                    final FileDescriptor passed = guest.receive().getData().getTransferredFd(0);
                    assertEquals(FileDescriptor.Type.REGULAR_FILE, passed.getType());
                    assertEquals(position, passed.getPosition());
                }
                assertTrue(host.isAlive(), host::toString);
            }
        }
    }
}
